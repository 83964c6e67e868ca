export { stampLines } from './stamp-lines.ts';
