export { countConformance } from './conformance-count.ts';
