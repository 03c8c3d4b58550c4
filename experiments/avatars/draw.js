// Draws avatars with their true attributes: node draw.js [--num 10000] [--resolution 32] [--seed 0] [--out ../../data/avatars]
//
// DiceBear's style "Pixel Art", whose designs are CC0 1.0. Written into the folder: images.idx.gz, uint8 (N, R, R, 3);
// labels.idx.gz, uint8 (N,), which of the 12 hairs; attributes.csv, the true numbers and, after them, the words that they come from.
// The same options draw the same bytes.
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { createAvatar } from '@dicebear/core';
import { pixelArt } from '@dicebear/collection';
import { Resvg } from '@resvg/resvg-js';

const options = { num: '10000', resolution: '32', seed: '0', out: join(import.meta.dirname, '../../data/avatars') };
const { values } = parseArgs({ options: Object.fromEntries(Object.entries(options).map(([name, value]) => [name, { type: 'string', default: value }])) });
const [num, resolution] = [Number(values.num), Number(values.resolution)];
for (const [name, value] of Object.entries({ num, resolution })) {
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be a positive whole number, got ${values[name]}`);
}

// A part of the style's drawings: few enough that a small generator sees each of them a hundred times and more.
const PARTS = {
  hair: ['long01', 'long04', 'long07', 'long08', 'long13', 'long16', 'short01', 'short06', 'short13', 'short14', 'short17', 'short21'],
  eyes: ['variant01', 'variant04', 'variant08', 'variant12'],
  mouth: ['happy09', 'happy12', 'sad01', 'sad05'],
  clothing: ['variant01', 'variant07', 'variant13', 'variant21'],
  glasses: ['dark02', 'dark06', 'light05', 'light06', 'light07'],
  hat: ['variant01', 'variant03', 'variant06', 'variant08'],
  beard: ['variant01', 'variant02', 'variant03', 'variant05'],
  accessories: ['variant01'],
};
const CHANCES = { glasses: 0.3, hat: 0.25, beard: 0.3, accessories: 0 };
const COLOURS = {
  skinColor: ['ffdbac', 'eac393', 'cb9e6e', 'a26d3d', '8d5524'],
  hairColor: ['cab188', 'a78961', '83623b', '603a14', '28150a', 'bd1700', '91cb15', '009bbd'],
  clothingColor: ['5bc0de', '428bca', '44c585', '00b159', 'ff6f69', 'd11141', 'ffd969', 'ffc425'],
  hatColor: ['2e1e05', '2663a3', '989789', '3d8a6b', 'cc6192', '614f8a', 'a62116'],
  glassesColor: ['191919', '43677d', 'a04b5d'],
  backgroundColor: ['b6e3f4', 'c0aede', 'd1d4f9', 'ffd5dc', 'ffdfbf', 'ffffff'],
};

// Of its own, not DiceBear's: there, seeds that differ by one character draw much the same parts.
function uniform(avatar, name) {
  return createHash('sha256').update(`${values.seed}/${avatar}/${name}`).digest().readUInt32BE() / 2 ** 32;
}

function draw(avatar) {
  const chosen = { seed: String(avatar) };
  for (const [name, list] of Object.entries({ ...PARTS, ...COLOURS })) chosen[name] = [list[Math.floor(uniform(avatar, name) * list.length)]];
  for (const [name, chance] of Object.entries(CHANCES)) chosen[`${name}Probability`] = uniform(avatar, `${name}?`) < chance ? 100 : 0;
  const picture = new Resvg(createAvatar(pixelArt, chosen).toString(), { fitTo: { mode: 'width', value: resolution } }).render();
  return { chosen, pixels: Buffer.from(picture.pixels.filter((_, byte) => byte % 4 < 3)) };
}

function luma(colour) {
  const [red, green, blue] = [0, 2, 4].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
  return (0.299 * red + 0.587 * green + 0.114 * blue).toFixed(3);
}

function attributes(chosen) {
  return {
    glasses: chosen.glassesProbability / 100,
    hat: chosen.hatProbability / 100,
    beard: chosen.beardProbability / 100,
    long_hair: Number(chosen.hair[0].startsWith('long')),
    happy: Number(chosen.mouth[0].startsWith('happy')),
    hair_luma: luma(chosen.hairColor[0]),
    skin_luma: luma(chosen.skinColor[0]),
    warm_clothing: Number(COLOURS.clothingColor.indexOf(chosen.clothingColor[0]) >= 4),
  };
}

function idx(shape, bytes) {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt8(8, 2);
  header.writeUInt8(shape.length, 3);
  shape.forEach((size, axis) => header.writeUInt32BE(size, 4 + 4 * axis));
  return gzipSync(Buffer.concat([header, bytes]));
}

const words = [...Object.keys(PARTS), ...Object.keys(COLOURS)].filter((name) => name !== 'accessories');
const avatars = Array.from({ length: num }, (_, avatar) => draw(avatar));
const rows = avatars.map(({ chosen }) => [
  ...Object.values(attributes(chosen)),
  ...words.map((name) => (chosen[`${name}Probability`] === 0 ? '' : chosen[name][0])),
]);
mkdirSync(values.out, { recursive: true });
writeFileSync(join(values.out, 'images.idx.gz'), idx([num, resolution, resolution, 3], Buffer.concat(avatars.map(({ pixels }) => pixels))));
writeFileSync(join(values.out, 'labels.idx.gz'), idx([num], Buffer.from(avatars.map(({ chosen }) => PARTS.hair.indexOf(chosen.hair[0])))));
const names = [...Object.keys(attributes(avatars[0].chosen)), ...words.map((name) => `drawn.${name}`)];
writeFileSync(join(values.out, 'attributes.csv'), [names, ...rows].map((row) => row.join(',')).join('\n') + '\n');
console.log(`${num} avatars of ${resolution}x${resolution} in ${values.out}`);
