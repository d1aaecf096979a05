// The shape of a language: the compiler refuses one that lacks a key, or a text for a refusal.

import type { RefusalReason } from "../session/refusal";
import type { en } from "./en";

export type Messages = Omit<typeof en, "refusal"> & { refusal: Record<RefusalReason, string> };
