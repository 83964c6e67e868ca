/** What the configuration of both set-ups says, ms: usual times, about a fifteenth of them. */
export const SCRAPE_MS = 1_000;
export const SCRAPE_TIMEOUT_MS = 900;
export const EVALUATION_MS = 1_000;
export const FOR_MS = 2_000;
export const LOOKBACK_MS = 10_000;
export const RATE_WINDOW_MS = 10_000;
export const GROUP_WAIT_MS = 2_000;
export const GROUP_INTERVAL_MS = 10_000;
/** All processes have the machine's clock; a server keeps so far between own samples and its twin's. */
export const GUARD_MS = 100;
export const PEER_TIMEOUT_MS = 5_000;
export const RESEND_DELAY_MS = 5_000;

/** A question that has no answer by then has failed. */
export const QUESTION_TIMEOUT_MS = 5_000;
/** Before that a client with a second address asks there. */
export const ADDRESS_TIMEOUT_MS = 2_500;
/** A range ends so far back, so that what it shows no longer changes; and is so long. */
export const BEHIND_MS = 2_000;
export const RANGE_MS = 120_000;
export const STEP_MS = 1_000;

/** A sample this old is not stale yet: two intervals, and half of one for what is under way. */
export const FRESH_MS = 2 * SCRAPE_MS + 500;
/** Between the moment that a target answers a scrape and the moment that a query sees it. */
export const COMMIT_MS = 500;
/** Longest time between two scrapes that follow each other: an interval, and a scrape that comes late. */
export const NEIGHBOURS_MS = SCRAPE_MS + SCRAPE_TIMEOUT_MS;
/** What a busy machine may add to a chain of timers. */
export const SLACK_MS = 2_000;
