import { OperatingError } from '@pollux/base';

/** Why one scrape failed as a whole. The text is what the targets page shows. */
export class ScrapeError extends OperatingError {}
