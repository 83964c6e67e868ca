/** The body of a good answer; `more` goes behind the data. */
export const ok = (data: string, more = ''): string => `{"status":"success","data":${data}${more}}`;

/** The body of a refusal of bad input. */
export const bad = (error: string): string =>
  `{"status":"error","errorType":"bad_data","error":${JSON.stringify(error)}}`;
