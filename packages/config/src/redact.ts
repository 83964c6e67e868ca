import { stringify } from 'yaml';
import type { ConfigNode } from './node.ts';

/** Keys whose value is never shown, also as the end of a longer key (`slack_api_url`, `consul_token`, `shared-secret`). */
const SECRET_KEY =
  /(?:^|[_-])(?:password|passphrase|secrets?|token|credentials|api_url|webhook_url|client_certificate_key|(?:api|secret|service|routing|user|integration|access|account|private|consumer|application)_key)$|^key$/i;
/** Parameters of an address that carry a secret: InfluxDB's `p`, DingTalk's `access_token` and `sign` … */
const SECRET_PARAMETER =
  /([?&;](?:p|pass|password|access_token|api_key|apikey|auth|key|secret|sig|sign|signature|token)=)[^&;#\s]+/gi;

/** The configuration as YAML text with every secret as `<secret>`, for status pages. Comments are gone. */
export function redactedYaml(node: ConfigNode): string {
  return stringify(
    plain(node, (text) => withoutUserPassword(text)),
    { lineWidth: 0 },
  );
}

/**
 * Plain values of a configuration, for hashing and comparing. Equal configurations give equal values whatever their
 * comments, quotes and places.
 */
export function plainValue(node: ConfigNode): unknown {
  return plain(node, (text) => text, false);
}

function plain(node: ConfigNode, show: (text: string) => string, hides = true): unknown {
  switch (node.kind) {
    case 'null':
      return null;
    case 'scalar':
      return typeof node.value === 'string' ? show(node.value) : node.value;
    case 'list':
      return node.items.map((item) => plain(item, show, hides));
    case 'map':
      return Object.fromEntries(
        node.entries.map(({ key, value }) => [
          key,
          hides && SECRET_KEY.test(key) ? '<secret>' : plain(value, show, hides),
        ]),
      );
  }
}

/**
 * An address as logs, labels and errors may show it: Go's `xxxxx` for the password of `http://user:pass@host`, and for `?p=pass` and
 * its like, which Prometheus shows. The rest stays as it was written.
 */
export function shownAddress(url: string): string {
  return url
    .replace(/([a-z][\w+.-]*:\/\/[^\s:@/?#]*):[^\s/?#]*@/gi, '$1:xxxxx@')
    .replace(SECRET_PARAMETER, '$1xxxxx');
}

/** `http://user:pass@host` and `?p=pass&u=…` as InfluxDB's URLs carry them. */
function withoutUserPassword(text: string): string {
  return text
    .replace(/([a-z][\w+.-]*:\/\/[^\s:@/?#]*):[^\s/?#]*@/gi, '$1:<secret>@')
    .replace(SECRET_PARAMETER, '$1<secret>');
}
