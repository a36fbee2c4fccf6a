/** The figures that have a goal as one self-contained SVG: a bar for every endpoint, beside the longest of its kind. */
import type { Figure } from './figures.ts';
import { figuresWithGoals } from './goals.ts';
import { type BenchRecord, describeMachine } from './record.ts';
import { show } from './table.ts';

const WIDTH = 980;
const LEFT = 20;
const BARS = 370;
const LONGEST_BAR = 400;
const ROW = 15;
const COLOURS = ['#0b7285', '#66b2c0', '#adb5bd'];
const TITLE = 'Medians of one run, by endpoint';
const STYLE = 'text{font:12px sans-serif;fill:#222}.small{font-size:10px;fill:#666}';

export function drawPicture(record: BenchRecord, endpoints: readonly string[]): string {
	const shapes = [text(LEFT, 24, describeMachine(record), 'small'), ...legend(endpoints, 46)];
	let y = 66;
	for (const { figure } of figuresWithGoals(record.figures)) {
		shapes.push(...group(figure, endpoints, y));
		y += ROW * endpoints.length + 9;
	}
	const size = `width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}"`;
	const ground = `<rect width="${WIDTH}" height="${y}" fill="#fff"/>`;
	return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>\n<title>${TITLE}</title>\n<style>${STYLE}</style>\n${[ground, ...shapes].join('\n')}\n</svg>\n`;
}

function legend(endpoints: readonly string[], y: number): string[] {
	return endpoints.flatMap((name, index) => {
		const x = BARS + index * 120;
		return [bar(x, y - 9, 10, index), text(x + 14, y, name)];
	});
}

function group(figure: Figure, endpoints: readonly string[], y: number): string[] {
	const longest = Math.max(...Object.values(figure.values).map(({ p50 }) => p50)) || 1;
	const better = figure.better === 'less' ? 'shorter is better' : 'longer is better';
	const bars = endpoints.flatMap((name, index) => {
		const value = figure.values[name]?.p50;
		if (value === undefined) return [];
		const length = Math.max(1, (value / longest) * LONGEST_BAR);
		const top = y + index * ROW;
		return [
			bar(BARS, top, length, index),
			text(BARS + length + 6, top + 10, `${show(value)} ${figure.unit}`),
		];
	});
	return [text(LEFT, y + 11, `${figure.part}: ${figure.name}`), text(LEFT, y + 25, better, 'small'), ...bars];
}

function bar(x: number, y: number, width: number, index: number): string {
	return `<rect x="${x}" y="${y}" width="${width.toFixed(1)}" height="11" fill="${COLOURS[index % COLOURS.length]}"/>`;
}

function text(x: number, y: number, said: string, style?: string): string {
	const escaped = said.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
	return `<text x="${x.toFixed(1)}" y="${y}"${style === undefined ? '' : ` class="${style}"`}>${escaped}</text>`;
}
