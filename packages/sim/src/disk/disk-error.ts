/** As Node's system errors: `code` is what programs look at. */
export class SimDiskError extends Error {
  readonly code: string;

  constructor(code: string, path: string) {
    super(`${code}: ${path}`);
    this.code = code;
  }
}
