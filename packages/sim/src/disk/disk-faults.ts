/** What a program asks of a disk, as faults and the journal know it. */
export type DiskOperation =
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  | 'truncate'
  | 'sync'
  | 'list'
  | 'makeDirectory'
  | 'rename'
  | 'link'
  | 'remove'
  | 'syncDirectory';

/**
 * `EIO` fails anything; a write may have written a part, a sync loses what it should have written. `ENOSPC` fails what needs
 * room, `EMFILE` what needs a descriptor. `short` reads fewer bytes than there are.
 */
export type DiskFaultKind = 'EIO' | 'ENOSPC' | 'EMFILE' | 'short';

export const DISK_FAULT_KINDS: readonly DiskFaultKind[] = ['EIO', 'ENOSPC', 'EMFILE', 'short'];

export type DiskFault = {
  readonly kind: DiskFaultKind;
  /** Number of the first operation that fails, counted as {@link SimDisk.operations}. */
  readonly from: number;
  /** Number of the last operation that fails; Infinity: all until the disk is healed. */
  readonly to: number;
};

const HIT: Readonly<Record<DiskFaultKind, ReadonlySet<DiskOperation> | null>> = {
  EIO: null,
  ENOSPC: new Set<DiskOperation>([
    'create',
    'write',
    'truncate',
    'makeDirectory',
    'rename',
    'link',
  ]),
  EMFILE: new Set<DiskOperation>(['open', 'create', 'list', 'syncDirectory']),
  short: new Set<DiskOperation>(['read']),
};

/** Whether a fault of the kind can hit such an operation at all. */
export function canHit(kind: DiskFaultKind, operation: DiskOperation): boolean {
  return HIT[kind]?.has(operation) ?? true;
}
