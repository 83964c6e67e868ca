import { compareText, Labels } from '@pollux/model';

/** A series' labels with those that remote read adds; a label that the series has itself wins. */
export function withExternal(labels: Labels, external: Labels): Labels {
  if (external.isEmpty) return labels;
  const flat: string[] = [];
  let i = 0;
  let e = 0;
  while (i < labels.size || e < external.size) {
    let order = i < labels.size ? -1 : 1;
    if (i < labels.size && e < external.size)
      order = compareText(labels.nameAt(i), external.nameAt(e));
    const from = order <= 0 ? labels : external;
    const at = order <= 0 ? i : e;
    flat.push(from.nameAt(at), from.valueAt(at));
    if (order <= 0) i++;
    if (order >= 0) e++;
  }
  return Labels.fromSortedFlat(flat);
}

/** A series' labels without those that remote read has added: an external label of another value is the series' own. */
export function withoutExternal(labels: Labels, external: Labels): Labels {
  let own = labels.size;
  for (let i = 0; i < labels.size; i++) if (isAdded(labels, i, external)) own--;
  if (own === labels.size) return labels;
  // Readers do this for each series: an array that grew by and by would be twice as long.
  const flat = new Array<string>(own * 2);
  let to = 0;
  for (let i = 0; i < labels.size; i++) {
    if (isAdded(labels, i, external)) continue;
    flat[to++] = labels.nameAt(i);
    flat[to++] = labels.valueAt(i);
  }
  return Labels.fromSortedFlat(flat);
}

function isAdded(labels: Labels, index: number, external: Labels): boolean {
  return external.get(labels.nameAt(index)) === labels.valueAt(index);
}
