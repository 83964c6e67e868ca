/** The type of an expression's value. */
export type ValueType = 'scalar' | 'string' | 'vector' | 'matrix';

/** How Prometheus names the types in its messages. */
export function documentedType(type: ValueType): string {
  if (type === 'vector') return 'instant vector';
  return type === 'matrix' ? 'range vector' : type;
}
