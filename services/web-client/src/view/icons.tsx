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
