export { encodeFamilies, PROTOBUF_CONTENT_TYPE } from './client-model.ts';
export { countConformance } from './conformance-count.ts';
