/** What the answering server covers, as bare JSON without the envelope; the gateway polls it. */
export const COVERAGE_PATH = '/api/v1/pollux/coverage';

/** What a role says of itself for the console's picture of the pair, as bare JSON. */
export const DETAILS_PATH = '/api/v1/pollux/status';
