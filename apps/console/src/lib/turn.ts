/** The place of an alertmanager in the order in which members notify. */
export function turnOf(position: number): string {
  if (position === 0) return 'notifies first';
  return `notifies if ${position === 1 ? 'the one' : `the ${position}`} before it did not`;
}
