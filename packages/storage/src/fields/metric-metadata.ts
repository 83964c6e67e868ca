import type { Metadata } from '@pollux/model';

/** What a writer says of the metrics of one name. */
export type MetricMetadata = Metadata & { readonly name: string };
