import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { createLog } from '#base/log.ts';
import { loadConfig } from './load.ts';
import { Reload } from './reload.ts';

let folder = '';
before(() => {
	folder = mkdtempSync(join(tmpdir(), 'gantry-reload-'));
});
after(() => rmSync(folder, { recursive: true }));

it('takes over the log level, names what needs a restart, and keeps everything when the file is broken', () => {
	const config = join(folder, 'gantry.toml');
	const lines: { level: string; msg: string; changed?: string[]; options?: string[] }[] = [];
	const log = createLog('info', (line) => lines.push(JSON.parse(line)));
	writeFileSync(config, '');
	const reload = new Reload({ config }, loadConfig({ config }), log);

	writeFileSync(config, '[log]\nlevel = "debug"\n[images]\nworkers = 3\n');
	reload.run();
	assert.deepEqual(lines[0]?.changed, ['log.level']);
	assert.deepEqual(lines[1]?.options, ['images.workers']);
	log.debug('now seen');
	assert.equal(lines[2]?.msg, 'now seen');

	writeFileSync(config, '[log]\nlevel = "loud"\n');
	reload.run();
	assert.match(
		lines[3]?.msg ?? '',
		/^The configuration was not reloaded: .*\n.*gantry\.toml:2: log\.level: "loud"/,
	);
	log.debug('still seen');
	assert.equal(lines[4]?.msg, 'still seen');
});
