// Renders a component again only when a prop has changed: a roster of hundreds stays cheap while
// speakers change several times a second.

import { Component, h } from "preact";
import type { ComponentType } from "preact";

export function memo<P extends object>(Inner: ComponentType<P>): ComponentType<P> {
  return class Memo extends Component<P> {
    override shouldComponentUpdate(next: Readonly<P>): boolean {
      const keys = Object.keys(next) as (keyof P)[];
      return (
        keys.length !== Object.keys(this.props).length ||
        keys.some((key) => next[key] !== (this.props as P)[key])
      );
    }

    render() {
      return h(Inner, this.props as P);
    }
  };
}
