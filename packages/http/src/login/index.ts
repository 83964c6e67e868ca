/** Who may come in by a password; apart, so that roles without users do not load bcrypt. */
export { asPrincipal } from './as-principal.ts';
export { BCRYPT, checkPasswordHash } from './password-hash.ts';
export { Users } from './users.ts';
