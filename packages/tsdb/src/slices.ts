export { Slices } from '@pollux/base';
