export { type NameValidation, nameValidation, relabelConfigs } from './relabel-configs.ts';
