/** POST requests that only read: Grafana posts its queries. */
const READING_POSTS =
  /^\/api\/v1\/(?:query|query_range|query_exemplars|series|labels|format_query|parse_query|read)$/;

/**
 * Whether a request may be sent again, to another member, after it was sent once. Writes, silences and administration never may:
 * they can have taken effect although no answer came.
 */
export function isRepeatable(method: string, target: string): boolean {
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return true;
  if (method !== 'POST') return false;
  const at = target.indexOf('?');
  return READING_POSTS.test(at < 0 ? target : target.slice(0, at));
}
