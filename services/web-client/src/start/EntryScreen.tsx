// The start page for somebody who is not known yet.

import { useMessages } from "../i18n/context";
import { Shell } from "../view/Shell";
import { GuestForm, LogInForm, ProblemNotice, useLogInOptions } from "./forms";

export function EntryScreen(props: { initialName: string }) {
  const t = useMessages();
  const options = useLogInOptions();
  return (
    <Shell>
      <div class="hero">
        <h1>{t.product}</h1>
        <p>{t.tagline}</p>
      </div>
      <ProblemNotice during={["create", "join"]} />
      {options === undefined ? (
        <div class="spinner" aria-hidden="true" />
      ) : options.guests ? (
        <div class="card two-ways">
          <GuestForm initialName={props.initialName} />
          <div class="or" aria-hidden="true">
            <span>{t.start.or}</span>
          </div>
          <LogInForm />
        </div>
      ) : (
        <div class="card narrow">
          <LogInForm />
        </div>
      )}
    </Shell>
  );
}
