import { expectGoodSeeds } from './seeds.ts';

expectGoodSeeds(1);
