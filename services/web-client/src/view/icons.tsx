// Icons: 20 by 20, one line weight, in the colour of the text around them. Never the only sign of
// anything: a text or an accessible name stands with each.

import type { ComponentChildren } from "preact";

function Icon(props: { children: ComponentChildren }) {
  return (
    <svg
      class="icon"
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      stroke-width="1.6"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {props.children}
    </svg>
  );
}

export const MicrophoneIcon = () => (
  <Icon>
    <rect x="7.25" y="2.25" width="5.5" height="9.5" rx="2.75" />
    <path d="M4.250 9.500a5.750 5.750 0 0 0 11.500 0M10 15.250v2.500" />
  </Icon>
);

export const MicrophoneOffIcon = () => (
  <Icon>
    <path d="M12.750 7V5a2.750 2.750 0 0 0-5.300-1M7.250 7.500V9A2.750 2.750 0 0 0 11.600 11.250" />
    <path d="M15.750 9.500c0 .9-.2 1.700-.550 2.450M13 14.400A5.750 5.750 0 0 1 4.250 9.500M10 15.250v2.500" />
    <path d="M3 2.500l14 15" />
  </Icon>
);

export const SettingsIcon = () => (
  <Icon>
    <path d="M3 6h8M15 6h2M3 14h2M9 14h8" />
    <circle cx="13" cy="6" r="2" />
    <circle cx="7" cy="14" r="2" />
  </Icon>
);

export const LeaveIcon = () => (
  <Icon>
    <path d="M8 3.500H5A1.500 1.500 0 0 0 3.500 5v10A1.500 1.500 0 0 0 5 16.500h3M8.500 10h8M13.500 7l3 3-3 3" />
  </Icon>
);

export const LinkIcon = () => (
  <Icon>
    <path d="M8.500 11.500a3 3 0 0 0 4.250 0l2.500-2.500A3 3 0 0 0 11 4.750l-1 1" />
    <path d="M11.500 8.500a3 3 0 0 0-4.250 0l-2.500 2.500A3 3 0 0 0 9 15.250l1-1" />
  </Icon>
);

export const CloseIcon = () => (
  <Icon>
    <path d="M5.500 5.500l9 9M14.500 5.500l-9 9" />
  </Icon>
);

export const ShareIcon = () => (
  <Icon>
    <path d="M10 12.500V3M6.500 6L10 2.750 13.500 6" />
    <path d="M6 9H4.750a1 1 0 0 0-1 1v6a1 1 0 0 0 1 1h10.500a1 1 0 0 0 1-1v-6a1 1 0 0 0-1-1H14" />
  </Icon>
);

export const PeopleIcon = () => (
  <Icon>
    <circle cx="7.500" cy="7" r="3" />
    <path d="M2.500 16.500a5 5 0 0 1 10 0M13 4.250a3 3 0 0 1 0 5.500M14.500 12.200a5 5 0 0 1 3 4.300" />
  </Icon>
);

export const FileIcon = () => (
  <Icon>
    <path d="M11.500 2.750H6a1.500 1.500 0 0 0-1.500 1.500v11.500a1.500 1.500 0 0 0 1.500 1.500h8a1.500 1.500 0 0 0 1.500-1.500V6.750z" />
    <path d="M11.500 2.750v4h4" />
  </Icon>
);

export const DetailsIcon = () => (
  <Icon>
    <path d="M4.500 16l.7-3.200 8-8a1.700 1.700 0 0 1 2.500 2.500l-8 8zM11.700 6.300l2.500 2.500" />
  </Icon>
);

export const DownloadIcon = () => (
  <Icon>
    <path d="M10 3v9.500M6.500 9.500l3.500 3.250 3.500-3.250M4 16.500h12" />
  </Icon>
);

export const CheckIcon = () => (
  <Icon>
    <path d="M4 10.500l4 4 8-9" />
  </Icon>
);

export const SpeakerIcon = () => (
  <Icon>
    <path d="M3.500 7.750v4.500h2.750L10 15.500v-11L6.250 7.750z" />
    <path d="M13 7.500a3.500 3.500 0 0 1 0 5M15.250 5.250a6.750 6.750 0 0 1 0 9.500" />
  </Icon>
);

export const GlobeIcon = () => (
  <Icon>
    <circle cx="10" cy="10" r="7.250" />
    <path d="M2.750 10h14.500M10 2.750c2 2 3 4.400 3 7.250s-1 5.250-3 7.250c-2-2-3-4.400-3-7.250s1-5.250 3-7.250z" />
  </Icon>
);

export const HandIcon = () => (
  <Icon>
    <path d="M6.500 10.500V5.250a1.250 1.250 0 0 1 2.500 0M9 9.500V3.750a1.250 1.250 0 0 1 2.500 0V9.500M11.500 9.500V5a1.250 1.250 0 0 1 2.500 0v6.500c0 3.500-2 6-5 6-2.300 0-3.500-1-4.600-3l-1.700-3.200a1.200 1.200 0 0 1 2-1.300l1.800 2.250" />
  </Icon>
);

export const ChatIcon = () => (
  <Icon>
    <path d="M4.250 4h11.500a1.500 1.500 0 0 1 1.500 1.500v7a1.500 1.500 0 0 1-1.500 1.500H9.500L6 17v-3H4.250a1.500 1.500 0 0 1-1.500-1.500v-7A1.500 1.500 0 0 1 4.250 4z" />
    <path d="M6.500 7.750h7M6.500 10.500h4.500" />
  </Icon>
);

export const MoreIcon = () => (
  <Icon>
    <path d="M4.500 10h.01M10 10h.01M15.500 10h.01" stroke-width="2.800" />
  </Icon>
);

export const AwayIcon = () => (
  <Icon>
    <path d="M16.250 11.900A6.750 6.750 0 1 1 8.100 3.750a5.500 5.500 0 0 0 8.150 8.150z" />
  </Icon>
);

export const CheckInIcon = () => (
  <Icon>
    <circle cx="10" cy="10" r="7.250" />
    <path d="M6.750 10.250l2.250 2.250 4.250-4.750" />
  </Icon>
);

/** Somebody speaks behind a hand, to one only. */
export const WhisperIcon = () => (
  <Icon>
    <circle cx="6" cy="7" r="2.750" />
    <path d="M1.750 16.250a4.300 4.300 0 0 1 8.500 0M11.750 6.250a3 3 0 0 1 0 4M14.250 4.250a6 6 0 0 1 0 8" />
    <path d="M16.750 15.750h.01" stroke-width="2.200" />
  </Icon>
);

export const MiniIcon = () => (
  <Icon>
    <path d="M9 15.500H4.250a1.500 1.500 0 0 1-1.500-1.500V6a1.500 1.500 0 0 1 1.500-1.500h11.500a1.500 1.500 0 0 1 1.500 1.500v3" />
    <rect x="11" y="11" width="6.250" height="4.500" rx="1" fill="currentColor" />
  </Icon>
);

export const RestoreIcon = () => (
  <Icon>
    <path d="M12 3.500h4.500V8M16.500 3.500L11 9M8 16.500H3.500V12M3.500 16.500L9 11" />
  </Icon>
);

/** Three points on a line that branches: a terminal, its relay, what is behind it. */
export const ConnectionIcon = () => (
  <Icon>
    <circle cx="4.250" cy="10" r="2" />
    <circle cx="15.750" cy="4.750" r="2" />
    <circle cx="15.750" cy="15.250" r="2" />
    <path d="M6.250 10h3.500M9.750 10l4.200-4M9.750 10l4.200 4" />
  </Icon>
);

/** A screen on a stand. */
export const DeviceIcon = () => (
  <Icon>
    <rect x="2.250" y="3.500" width="15.500" height="10" rx="1.500" />
    <path d="M10 13.500v3M6.500 16.750h7" />
  </Icon>
);

export const KeyboardIcon = () => (
  <Icon>
    <rect x="2.250" y="5" width="15.500" height="10" rx="1.500" />
    <path d="M5.250 8h.01M8.400 8h.01M11.600 8h.01M14.750 8h.01M6.500 12h7" />
  </Icon>
);

export const LockIcon = () => (
  <Icon>
    <rect x="4.500" y="9" width="11" height="8" rx="1.500" />
    <path d="M7 9V6.500a3 3 0 0 1 6 0V9" />
  </Icon>
);

export const UnlockIcon = () => (
  <Icon>
    <rect x="4.500" y="9" width="11" height="8" rx="1.500" />
    <path d="M7 9V6a3 3 0 0 1 5.800-1" />
  </Icon>
);

export const SpotlightIcon = () => (
  <Icon>
    <path d="M10 2.750l2.200 4.600 5 .700-3.600 3.550.850 5.050L10 14.250l-4.450 2.400.850-5.050L2.800 8.050l5-.700z" />
  </Icon>
);

export const AttendanceIcon = () => (
  <Icon>
    <path d="M7.500 5h9M7.500 10h9M7.500 15h9M3 5l.900.900L5.500 4.250M3 10l.900.900L5.500 9.250M3 15l.900.900 1.600-1.650" />
  </Icon>
);

export const ChevronIcon = () => (
  <Icon>
    <path d="M5.500 7.750l4.500 4.500 4.500-4.500" />
  </Icon>
);

export const SendIcon = () => (
  <Icon>
    <path d="M17 3L9 11M17 3l-5 14-3-6-6-3z" />
  </Icon>
);

export const LatchIcon = () => (
  <Icon>
    <path d="M7 2.750h6M8 2.750V8l-2.500 3.250h9L12 8V2.750M10 11.250v6" />
  </Icon>
);

export const BellIcon = () => (
  <Icon>
    <path d="M4.250 14.250h11.500c-1.250-1.250-1.500-2.500-1.500-5.500a4.250 4.250 0 0 0-8.500 0c0 3-.250 4.250-1.500 5.500zM8.250 16.750a2 2 0 0 0 3.500 0" />
  </Icon>
);

export const NameIcon = () => (
  <Icon>
    <rect x="2.750" y="5" width="14.500" height="11" rx="1.500" />
    <circle cx="7" cy="9.500" r="1.500" />
    <path d="M4.750 13.250a2.300 2.300 0 0 1 4.500 0M11.750 9h3M11.750 12h3M8.500 5V3h3v2" />
  </Icon>
);

export const PersonOutIcon = () => (
  <Icon>
    <circle cx="8" cy="6.750" r="3" />
    <path d="M2.750 16.500a5.250 5.250 0 0 1 9.500-3.100M13.250 13l4 4M17.250 13l-4 4" />
  </Icon>
);

/** Two streams that join a third: the product's mark. */
export const Logo = () => (
  <svg class="logo" viewBox="0 0 32 32" fill="none" aria-hidden="true">
    <g stroke="currentColor" stroke-width="3" stroke-linecap="round">
      <path d="M4 7.500c8 0 8 8.500 16 8.500" />
      <path d="M4 16h24" />
      <path d="M4 24.500c8 0 8-8.500 16-8.500" />
    </g>
  </svg>
);
