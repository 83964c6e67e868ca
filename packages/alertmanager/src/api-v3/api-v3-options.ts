import type { AlertProvider } from '../alert/alert-provider.ts';
import type { AlertmanagerConfig } from '../config/config.ts';
import type { Doctor } from '../doctor/doctor.ts';
import type { ExplainSources } from '../explain/explain-sources.ts';
import type { History } from '../history/history.ts';
import type { MatcherMode } from '../matcher/parse.ts';
import type { SilencesBeyond } from '../silence/silences-beyond.ts';

/** What the routes below /api/v3 work on. */
export type ApiV3 = ExplainSources & {
  readonly provider: AlertProvider;
  readonly history: History;
  readonly silencesBeyond: SilencesBeyond;
  readonly doctor: Doctor;
  /** Of this program. */
  readonly version: string;
  /** Names of receivers to which a test is being sent. */
  readonly testsUnderWay: Set<string>;
  readonly externalUrl: string;
  /** Builds all that a configuration needs and throws it away; throws what makes it refused. */
  readonly tryConfig: (config: AlertmanagerConfig) => void;
  readonly matcherMode: MatcherMode;
};
