import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { StatusError } from '#base/errors.ts';
import { documentedConfig } from './document.ts';
import { type ConfigSources, type LoadedConfig, loadConfig } from './load.ts';

describe('loadConfig', () => {
	let folder = '';
	before(() => {
		folder = mkdtempSync(join(tmpdir(), 'gantry-config-'));
	});
	after(() => rmSync(folder, { recursive: true }));

	let count = 0;
	function load(toml: string, more: ConfigSources & { dropIns?: Record<string, string> } = {}): LoadedConfig {
		const { dropIns = {}, ...sources } = more;
		const file = join(folder, `${count++}.toml`);
		writeFileSync(file, toml);
		mkdirSync(`${file}.d`);
		for (const [name, text] of Object.entries(dropIns)) writeFileSync(join(`${file}.d`, name), text);
		return loadConfig({ config: file, ...sources });
	}

	function problemsOf(work: () => unknown): string[] {
		try {
			work();
		} catch (error) {
			assert.ok(error instanceof StatusError);
			assert.equal(error.condition, 'INVALID_ARGUMENT');
			return error.message.split('\n').slice(1);
		}
		return assert.fail('nothing was thrown');
	}
	const originOf = (loaded: LoadedConfig, name: string): string | undefined =>
		loaded.settings.find((setting) => setting.name === name)?.origin.replace(folder, '');

	it('gives every default when the file is empty', () => {
		const { config } = load('');
		assert.equal(config.instance, 'gantry');
		assert.equal(config.socket.mode, 0o660);
		assert.deepEqual(config.network.cniBinDirs, ['/opt/cni/bin', '/usr/lib/cni']);
	});

	it('accepts the documented configuration with every option uncommented as the defaults', () => {
		const all = documentedConfig().replace(/^#(?=[a-z_]+ = )/gm, '');
		assert.deepEqual(load(all).config, load('').config);
		assert.notEqual(originOf(load(all), 'grpc.max_message_bytes'), 'default');
	});

	it('lets drop-ins win in lexical order, --set over them, and --root over that, and says where each came from', () => {
		const loaded = load('[log]\nlevel = "warn"\n[images]\nworkers = 1\n', {
			dropIns: {
				'20-b.toml': 'log.level = "debug"',
				'10-a.toml': '\nlog.level = "error"\nimages.workers = 2',
				'x.txt': 'no',
			},
			set: ['images.workers=3', 'root=/one'],
			root: '/two',
		});
		assert.equal(loaded.config.log.level, 'debug');
		assert.equal(loaded.config.images.workers, 3);
		assert.equal(loaded.config.root, '/two');
		assert.match(originOf(loaded, 'log.level') ?? '', /toml\.d\/20-b\.toml:1$/);
		assert.equal(originOf(loaded, 'images.workers'), '--set');
		assert.equal(originOf(loaded, 'root'), '--root');
		assert.equal(originOf(loaded, 'state'), 'default');
		assert.equal(loaded.files.length, 3);
	});

	it('names file, line and the option that was probably meant', () => {
		const problems = problemsOf(() =>
			load('# comment\n[network]\nprovider = "auto"\nsubnet = ["10.0.0.0/8"]\n'),
		);
		assert.equal(problems.length, 1);
		assert.match(
			problems[0] ?? '',
			/\.toml:4: unknown option "network\.subnet" \(did you mean "network\.subnets"\?\)$/,
		);
	});

	it('reports every problem at once, each with its line', () => {
		const problems = problemsOf(() =>
			load('instance = "Gantry"\n[log]\nlevel = "infos"\n[socket]\nmode = "0999"\n\n[grcp]\n', {
				set: ['images.workers=many'],
			}),
		);
		assert.match(problems[0] ?? '', /:1: instance: "Gantry" is not a name/);
		assert.match(problems[1] ?? '', /:3: log\.level: "infos" is not one of .* \(did you mean "info"\?\)$/);
		assert.match(problems[2] ?? '', /:5: socket\.mode: "0999" is not an octal file mode/);
		assert.match(problems[3] ?? '', /:7: unknown option "grcp"/);
		assert.match(problems[4] ?? '', /^--set: images\.workers: "many" is not an integer from 0 to 64$/);
		assert.equal(problems.length, 5);
	});

	it('gives the line of a syntax error', () => {
		assert.match(problemsOf(() => load('[log]\nlevel = info\n'))[0] ?? '', /\.toml:2: this is not TOML: /);
	});

	it('finds the line of a key in an inline table and of a dotted key', () => {
		assert.match(
			problemsOf(() => load('\nlog = { levl = "info" }'))[0] ?? '',
			/:2: unknown option "log\.levl"/,
		);
		assert.match(
			problemsOf(() => load('\n\nnetwork.provider = "cnii"'))[0] ?? '',
			/:3: network\.provider: "cnii" .*"cni"/,
		);
	});

	it('refuses the systemd cgroup manager with a sentence', () => {
		assert.match(
			problemsOf(() => load('', { set: ['cgroup.manager=systemd'] }))[0] ?? '',
			/"systemd" is not supported: /,
		);
	});

	it('refuses a state folder that is too long for sockets, and allows the longest one', () => {
		const longest = `/${'s'.repeat(74)}`;
		assert.equal(load('', { state: longest }).config.state, longest);
		assert.deepEqual(
			problemsOf(() => load('', { state: `${longest}s` })),
			['--state: state: the path is 76 bytes long, 1 too many for Unix sockets'],
		);
	});

	it('refuses a root within the state, and the same folder for both', () => {
		const refusal = (root: string, state: string) =>
			problemsOf(() => load('', { root, state }))[0] ?? assert.fail('nothing was said');
		assert.match(
			refusal('/run/g/root', '/run/g'),
			/^--root: root: \/run\/g\/root is within the state folder \/run\/g, which a reboot empties/,
		);
		assert.match(refusal('/run/g', '/run/g'), /is within the state folder/);
		assert.match(refusal('/', '/run/g'), /the root folder cannot be \//);
		assert.match(refusal('/proc/g', '/run/g'), /the root folder \/proc\/g is not on a file system for files/);
		assert.match(refusal('/var/g', '/'), /the state folder cannot be \//);
		assert.equal(
			load('', { root: '/run/gantry-root', state: '/run/gantry' }).config.root,
			'/run/gantry-root',
		);
	});

	it('refuses two subnets of a family, allows one of each', () => {
		assert.deepEqual(load('', { set: ['network.subnets=10.9.0.0/16,fd00::/64'] }).config.network.subnets, [
			'10.9.0.0/16',
			'fd00::/64',
		]);
		assert.match(
			problemsOf(() => load('', { set: ['network.subnets=10.9.0.0/16,10.8.0.0/16'] }))[0] ?? '',
			/more than one subnet/,
		);
		assert.match(
			problemsOf(() => load('', { set: ['network.subnets=10.9.0.0/33'] }))[0] ?? '',
			/not an IP subnet/,
		);
	});

	it('reads lists and tables from --set', () => {
		const { config } = load('', {
			set: [
				'images.pinned=["a, b", "c*"]',
				'runtime.default_sysctls=net.core.somaxconn=100',
				'listen=/run/x.sock',
				'runtime.default_capabilities=chown',
			],
		});
		assert.deepEqual(config.images.pinned, ['a, b', 'c*']);
		assert.deepEqual(config.runtime.defaultSysctls, { 'net.core.somaxconn': '100' });
		assert.equal(config.listen, 'unix:///run/x.sock');
		assert.deepEqual(config.runtime.defaultCapabilities, ['CAP_CHOWN']);
	});

	it('takes a table of strings from a file', () => {
		const { config } = load('[runtime.default_sysctls]\n"net.core.somaxconn" = "7"\n');
		assert.deepEqual(config.runtime.defaultSysctls, { 'net.core.somaxconn': '7' });
	});

	it('says so when a named file is missing or --set has no value', () => {
		assert.throws(
			() => loadConfig({ config: join(folder, 'none.toml') }),
			/Cannot read the configuration file .*none\.toml/,
		);
		assert.deepEqual(
			problemsOf(() => load('', { set: ['log.level'] })),
			['--set log.level: write it as key=value'],
		);
	});
});
