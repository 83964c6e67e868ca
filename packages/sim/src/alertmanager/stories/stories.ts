import type { Story } from './story.ts';

const EACH_SECOND = 'group_by: [], group_wait: 1s, group_interval: 1s, repeat_interval: 1ms';
const BY_NAME = 'group_by: [alertname], group_wait: 1s';
const JOB_INHIBITS_INSTANCE = [
  { source: 'alertname=JobDown', target: 'alertname=InstanceDown', equal: ['job', 'zone'] },
];

/**
 * The time lines of the original's acceptance tests, told anew. One configuration and one cluster serve them all at the same
 * time: each has a route of its own.
 */
export const STORIES: readonly Story[] = [
  {
    name: 'versions of an alert are merged: first start, last words, last end; after its end it begins anew',
    route: `${BY_NAME}, group_interval: 1s, repeat_interval: 1ms`,
    hooks: { hook: 'send_resolved: true' },
    script: `
      1       push  test from 0.9
      1.2     push  test from 0.8
      2..2.5  hook  test from 0.8
      2.5     push  test from 2 says v1
      3..3.5  hook  test from 0.8 says v1
      3.6     push  test from 1.5 says v2
      4..4.5  hook  test from 0.8 says v2
      4.4     push  test from 3 to 4.3 says v2
      4.5     push  test from 2.9 to 4.5 says v3
      4.6     push  test from 2.9 to 4.1 says v3
      5..5.5  hook  test from 0.8 to 4.5 says v3
      5.5     push  test
      6..6.6  hook  test from 5.5`,
  },
  {
    name: 'what goes on is repeated, its end is told once',
    route: `${BY_NAME}, group_interval: 1s, repeat_interval: 1ms`,
    hooks: { hook: '' },
    script: `
      1       push  test from 1
      2..2.5  hook  test from 1
      3..3.5  hook  test from 1
      3.5     push  test from 1 to 3
      4..4.5  hook  test from 1 to 3
      7       shows alertname=test: `,
  },
  {
    name: 'a receiver that fails is tried until it works, another gets its message once',
    route: `${BY_NAME}, group_interval: 1s, repeat_interval: 1h`,
    hooks: { sound: '', broken: '' },
    script: `
      0         fails  broken
      1         push   test
      2..2.5    sound  test from 1
      4.5       works  broken
      4.5..7.5  broken test from 1`,
  },
  {
    name: 'alerts are sent together, at the flush after they came, and repeated together',
    route: 'group_by: [], group_wait: 1s, group_interval: 1s, repeat_interval: 4900ms',
    hooks: { hook: '' },
    script: `
      1.1       push  test1 from 1
      1.7       push  test5 from 1
      2..2.6    hook  test1 from 1 + test5 from 1
      3.3       push  test2 from 1.5 + test3 from 1.5 + test4 from 1.6
      4.1..4.6  hook  test1 from 1 + test5 from 1 + test2 from 1.5 + test3 from 1.5 + test4 from 1.6
      9.1..9.6  hook  test1 from 1 + test5 from 1 + test2 from 1.5 + test3 from 1.5 + test4 from 1.6`,
  },
  {
    name: 'alerts that nobody repeats end with the resolve timeout',
    route: `${BY_NAME}, group_interval: 5s`,
    hooks: { hook: '' },
    script: `
      1       push  test{lbl=v1} + test{lbl=v2} + test{lbl=v3}
      2..2.5  hook  test{lbl=v1} from 1 + test{lbl=v2} from 1 + test{lbl=v3} from 1
      12..13  hook  test{lbl=v1} from 1 to 11 + test{lbl=v2} from 1 to 11 + test{lbl=v3} from 1 to 11`,
  },
  {
    name: 'who wishes for no ends gets none, and the log knows of them all the same',
    route: `${BY_NAME}, group_interval: 5s`,
    hooks: { all: 'send_resolved: true', beginnings: 'send_resolved: false' },
    script: `
      1         push        test{lbl=v1} + test{lbl=v2}
      2..2.5    all         test{lbl=v1} from 1 + test{lbl=v2} from 1
      2..2.5    beginnings  test{lbl=v1} from 1 + test{lbl=v2} from 1
      3         push        test{lbl=v3}
      4         push        test{lbl=v1} from 1 to 4
      7..7.5    all         test{lbl=v1} from 1 to 4 + test{lbl=v2} from 1 + test{lbl=v3} from 3
      7..7.5    beginnings  test{lbl=v2} from 1 + test{lbl=v3} from 3
      8         push        test{lbl=v3} from 3
      12..12.6  all         test{lbl=v2} from 1 to 11 + test{lbl=v3} from 3
      13        shows       lbl=v3: test{lbl=v3} active`,
  },
  {
    name: 'a reload tells nothing twice and keeps the times of groups',
    route: 'group_by: [], group_wait: 1s, group_interval: 6s, repeat_interval: 10m',
    hooks: { hook: '' },
    isApart: true,
    script: `
      1       push    test1
      2..2.5  hook    test1 from 1
      3       reload
      4       push    test2
      8..8.5  hook    test1 from 1 + test2 from 4`,
  },
  {
    name: 'an alert is inhibited while its source fires, and told again after that',
    route: 'group_by: [], group_wait: 1s, group_interval: 1s, repeat_interval: 1h',
    hooks: { hook: '' },
    inhibit: JOB_INHIBITS_INSTANCE,
    script: `
      1       push  test1{job=j,zone=aa} + InstanceDown{job=j,zone=aa} + InstanceDown{job=j,zone=ab}
      2..2.5  hook  test1{job=j,zone=aa} from 1 + InstanceDown{job=j,zone=aa} from 1 + InstanceDown{job=j,zone=ab} from 1
      2.5     push  JobDown{job=j,zone=aa}
      3..3.5  hook  test1{job=j,zone=aa} from 1 + InstanceDown{job=j,zone=ab} from 1 + JobDown{job=j,zone=aa} from 2.5
      3.2     shows zone=aa: test1{job=j,zone=aa} active + InstanceDown{job=j,zone=aa} suppressed + JobDown{job=j,zone=aa} active
      3.6     push  JobDown{job=j,zone=aa} from 2.5 to 3.6
      4..4.5  hook  test1{job=j,zone=aa} from 1 + InstanceDown{job=j,zone=aa} from 1 + InstanceDown{job=j,zone=ab} from 1 + JobDown{job=j,zone=aa} from 2.5 to 3.6`,
  },
  {
    name: 'what inhibits and what is inhibited, ended together, are told together',
    route: 'group_by: [], group_wait: 1s, group_interval: 1s, repeat_interval: 1h',
    hooks: { hook: '' },
    inhibit: JOB_INHIBITS_INSTANCE,
    script: `
      1       push  InstanceDown{job=j,zone=aa} + JobDown{job=j,zone=aa}
      2..2.5  hook  JobDown{job=j,zone=aa} from 1
      2.6     push  JobDown{job=j,zone=aa} from 1 to 2.6 + InstanceDown{job=j,zone=aa} from 1 to 2.6
      3..3.5  hook  InstanceDown{job=j,zone=aa} from 1 to 2.6 + JobDown{job=j,zone=aa} from 1 to 2.6`,
  },
  {
    name: 'a silence holds from its start to its end',
    route: EACH_SECOND,
    hooks: { hook: '' },
    script: `
      1       push     test1 from 1 + test2 from 1
      2..2.5  hook     test1 from 1 + test2 from 1
      2.3     silence  quiet alertname=test1 from 2.5 to 4.5
      3..3.5  hook     test2 from 1
      4..4.5  hook     test2 from 1
      5..5.5  hook     test1 from 1 + test2 from 1`,
  },
  {
    name: 'a silence that is taken back holds no longer',
    route: EACH_SECOND,
    hooks: { hook: '' },
    script: `
      1         push       test1 from 1 + test2 from 1
      1.1       silence    all alertname=~.+ from 1.3 to 100
      3.5       unsilence  all
      3.6..4.6  hook       test1 from 1 + test2 from 1`,
  },
  {
    name: 'members show at once who is silenced and who is inhibited',
    route: 'group_by: [], group_wait: 1s, group_interval: 10m, repeat_interval: 1h',
    hooks: { hook: '' },
    inhibit: [{ source: 'severity=critical', target: 'severity=warning', equal: ['alertname'] }],
    script: `
      0.2     push       test1{severity=warning}
      0.6     shows      alertname=test1: test1{severity=warning} active
      1..1.8  hook       test1{severity=warning} from 0.2
      2.5     silence    quiet alertname=test1 from 2.6 to 100
      3.4     shows      alertname=test1: test1{severity=warning} suppressed
      3.6     push       test1{severity=critical}
      4       shows      alertname=test1: test1{severity=warning} suppressed + test1{severity=critical} suppressed
      4.2     unsilence  quiet
      5       shows      alertname=test1: test1{severity=warning} suppressed + test1{severity=critical} active
      5.2     shows      severity=warning: test1{severity=warning} suppressed`,
  },
  {
    name: 'a cluster tells of an alert once, and of its end once',
    route: 'group_by: [], group_wait: 1s, group_interval: 1s, repeat_interval: 1h',
    hooks: { hook: '' },
    script: `
      1       push  test1
      2..3    hook  test1 from 1
      11..13  hook  test1 from 1 to 11`,
  },
  {
    name: 'a cluster sends what one alone would',
    route: `${BY_NAME}, group_interval: 1s, repeat_interval: 1h`,
    hooks: { hook: '' },
    script: `
      1       push  one
      2       push  two
      2..3    hook  one from 1
      3..4    hook  two from 2
      4       push  four
      5..6    hook  four from 4
      6       push  six
      7..8    hook  six from 6
      8       push  eight
      9..10   hook  eight from 8`,
  },
  {
    name: 'what has fired longer than group_wait elsewhere is told at once',
    route: 'group_by: [alertname], group_wait: 4s, group_interval: 5m',
    hooks: { hook: '' },
    script: `
      6       push  old from 0.5
      6..6.4  hook  old from 0.5
      7       push  new
      11..12  hook  new from 7`,
  },
  {
    name: 'an end never begins a conversation',
    route: 'group_by: [alertname], group_wait: 1s, group_interval: 1s',
    hooks: { hook: '' },
    script: `
      1       push  over from 0.2 to 0.8
      5       shows alertname=over: `,
  },
  {
    name: 'by ... each alert is a group of its own',
    route: "group_by: ['...'], group_wait: 1s, group_interval: 5m",
    hooks: { hook: '' },
    script: `
      1       push  test{lbl=v1}
      1.6     push  test{lbl=v2}
      2..2.5  hook  test{lbl=v1} from 1
      2.6..3  hook  test{lbl=v2} from 1.6`,
  },
  {
    name: 'labels and routes may be of any characters',
    route: 'matchers: [\'"foo🙂"=bar\'], group_by: ["foo🙂"], group_wait: 1s',
    hooks: { hook: '' },
    needsUtf8: true,
    script: `
      1       push     test{foo🙂=bar,Σ=c} from 1
      2..2.5  hook     test{foo🙂=bar,Σ=c} from 1
      2.6     shows    Σ=c: test{foo🙂=bar,Σ=c} active
      2.8     silence  quiet Σ=c from 2.9 to 100
      3.4     shows    "foo🙂"=bar: test{foo🙂=bar,Σ=c} suppressed`,
  },
];
