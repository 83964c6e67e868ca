export { type ClusterKind, type ClusterPlan, planOf } from './alertmanager/cluster/cluster-plan.ts';
export {
  type ClusterReport,
  describeFailure,
  runCluster,
} from './alertmanager/cluster/cluster-run.ts';
export { configOf, type Stage, type TellOptions, tellAll } from './alertmanager/stories/stage.ts';
export { STORIES } from './alertmanager/stories/stories.ts';
export type { Story } from './alertmanager/stories/story.ts';
export { type Told, toldBy } from './alertmanager/stories/told.ts';
export {
  canHit,
  DISK_FAULT_KINDS,
  type DiskFault,
  type DiskFaultKind,
  type DiskOperation,
} from './disk/disk-faults.ts';
export type { DiskRecord } from './disk/disk-operations.ts';
export { SimDisk } from './disk/sim-disk.ts';
export type { SimFiles } from './disk/sim-files.ts';
export { downsamplingSubject } from './faults/downsampling-subject.ts';
export {
  allCases,
  caseName,
  caseOfName,
  type FaultCase,
  type FaultSubject,
  runCase,
  sampleCases,
} from './faults/fault-run.ts';
export { shardsSubject } from './faults/shards-subject.ts';
export { tsdbSubject } from './faults/tsdb-subject.ts';
export { GOOD_LINK, type Link } from './link.ts';
export { LONG as LONG_PAIR, type PairSize, SHORT as SHORT_PAIR } from './pair/pair-plan.ts';
export { describePairFailure, type PairReport, runPair } from './pair/pair-run.ts';
export type { SimNet } from './sim-net.ts';
export { SimNetwork } from './sim-network.ts';
export { type SimHost, SimWorld, type SimWorldOptions } from './sim-world.ts';
