/** The type of a field, fixed per measurement and shard group by the first value written. */
export type FieldKind = 'float' | 'integer' | 'boolean' | 'string' | 'unsigned';
