/**
 * Memory and time that samples out of order take in the head until they go to blocks, by shape of the values and order of
 * arrival. Run with `node --conditions=@pollux/source --import tsx` and this file.
 */
import { SlabPool } from '../head/slabs.ts';
import { OooSamples } from './ooo-samples.ts';

const SERIES = 20_000;
/** Two hours of one each 15 s. */
const SAMPLES = 480;
const T0 = 1_700_006_400_000;

const SHAPES = {
  counter: (sample: number, series: number) => sample * 7 + series,
  gauge: (sample: number) => Math.sin(sample) * 100,
  constant: () => 1,
};

const value = new Float64Array(1);
const words = new Uint32Array(value.buffer);
for (const [name, shape] of Object.entries(SHAPES)) {
  for (const isShuffled of [false, true]) {
    const pool = new SlabPool(16 * 1024 * 1024);
    const samples = new OooSamples(pool);
    const before = process.cpuUsage();
    for (let series = 0; series < SERIES; series++) {
      for (let i = 0; i < SAMPLES; i++) {
        const sample = isShuffled ? (i * 7) % SAMPLES : i;
        value[0] = shape(sample, series);
        samples.insert(series, T0 + sample * 15_000 + (series % 1000), words[0]!, words[1]!);
      }
    }
    const { user, system } = process.cpuUsage(before);
    const bytes = (pool.count * pool.slabBytes) / SERIES / SAMPLES;
    const ns = ((user + system) * 1000) / SERIES / SAMPLES;
    const order = isShuffled ? 'shuffled' : 'by time';
    process.stdout.write(
      `${name}, ${order}: ${bytes.toFixed(1)} B and ${ns.toFixed(0)} ns a sample\n`,
    );
  }
}
