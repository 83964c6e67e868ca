import { compileRe2 } from '@pollux/model';

/** Names that are kept with what they led to; more are looked up each time. */
const MAX_KEPT = 1_000;

/**
 * Finds the host for a name in nginx's order: the name itself, the longest wildcard at the front, the longest at the end, the first
 * regular expression. Names are compared without case and without a port.
 */
export class VirtualHosts<T> {
  readonly #exact = new Map<string, T>();
  readonly #front: { readonly end: string; readonly host: T }[] = [];
  readonly #back: { readonly start: string; readonly host: T }[] = [];
  readonly #patterns: { readonly pattern: { test(text: string): boolean }; readonly host: T }[] =
    [];
  readonly #fallback: T;
  readonly #kept = new Map<string, T>();

  /** `fallback` is for names that nobody has, unless a host is named `_`. */
  constructor(hosts: readonly (readonly [names: readonly string[], host: T])[], fallback: T) {
    let other = fallback;
    for (const [names, host] of hosts) {
      for (const name of names) {
        if (name === '_') other = host;
        else this.#add(name, host);
      }
    }
    this.#fallback = other;
    this.#front.sort((a, b) => b.end.length - a.end.length);
    this.#back.sort((a, b) => b.start.length - a.start.length);
  }

  /** `authority` as in the Host header; undefined for a request without one. */
  find(authority: string | undefined): T {
    if (authority === undefined) return this.#fallback;
    const known = this.#kept.get(authority);
    if (known !== undefined) return known;
    const found = this.#lookUp(hostName(authority));
    if (this.#kept.size < MAX_KEPT) this.#kept.set(authority, found);
    return found;
  }

  #add(name: string, host: T): void {
    if (name.startsWith('~')) {
      const { pattern } = compiled(name.slice(1));
      this.#patterns.push({ pattern, host });
    } else if (name.startsWith('.')) {
      this.#exact.set(name.slice(1), host);
      this.#front.push({ end: name, host });
    } else if (name.startsWith('*.')) this.#front.push({ end: name.slice(1), host });
    else if (name.endsWith('.*')) this.#back.push({ start: name.slice(0, -1), host });
    else this.#exact.set(name, host);
  }

  #lookUp(name: string): T {
    const exact = this.#exact.get(name);
    if (exact !== undefined) return exact;
    const front = this.#front.find(({ end }) => name.endsWith(end) && name.length > end.length);
    if (front !== undefined) return front.host;
    const back = this.#back.find(({ start }) => name.startsWith(start));
    if (back !== undefined) return back.host;
    return this.#patterns.find(({ pattern }) => pattern.test(name))?.host ?? this.#fallback;
  }
}

/** Without port and last dot, in lower case; an IPv6 address keeps its brackets. */
export function hostName(authority: string): string {
  return authority.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '');
}

function compiled(text: string): { readonly pattern: { test(name: string): boolean } } {
  const pattern = compileRe2(text, '');
  return { pattern: { test: (name) => pattern.test(name) } };
}
