/** The daemon's command line and signals. */
import { Command, CommanderError } from 'commander';
import { messageOf, StatusError } from '#base/errors.ts';
import { createLog, type Log } from '#base/log.ts';
import { type ConfigSources, DEFAULT_CONFIG_FILE, type LoadedConfig, loadConfig } from './config/load.ts';
import { Reload } from './config/reload.ts';
import type { RunningDaemon } from './daemon.ts';
import { EXIT } from './exit-codes.ts';
import { keepCompiledCode, useCompiledCode } from './startup/compiled-code.ts';
import { refuseNewerData } from './startup/data-version.ts';
import { collectGarbageEarly } from './startup/heap.ts';
import { NewFolders } from './startup/new-folders.ts';
import { VERSION } from './startup/version.ts';

async function main(sources: ConfigSources): Promise<void> {
	// Sockets are bound before their mode is set: until then nobody else may connect.
	process.umask(0o022);
	const loaded = loadOrExit(sources);
	const log = createLog(loaded.config.log.level);
	// A log reader that goes away must not end the daemon.
	process.stderr.on('error', () => {});
	process.on('unhandledRejection', (error) =>
		log.error('A failure was not handled; this is a bug', { error }),
	);
	await refuseNewerData(loaded.config).catch((error: unknown) => {
		log.error(`Cannot start: ${messageOf(error)}`);
		process.exit(EXIT.config);
	});
	const folders = new NewFolders(loaded.config);
	useCompiledCode(loaded.config.root);
	// Only now: most of the program takes long to compile.
	const { startDaemon } = await import('./daemon.ts');
	const starting = startDaemon(loaded.config, log, folders);
	const reload = new Reload(sources, loaded, log);
	process.on('SIGHUP', () => reload.run());
	// Also while it starts: a daemon that is killed half-way would leave its cgroup and network behind.
	for (const signal of ['SIGTERM', 'SIGINT'] as const)
		process.once(signal, () => void stop(starting, log, signal));
	await starting.catch((error: unknown) => {
		log.error(`Cannot start: ${messageOf(error)}`, error instanceof StatusError ? {} : { error });
		process.exit(EXIT.failure);
	});
	keepCompiledCode();
	collectGarbageEarly();
}

/** Ends the process with code 0; a start that fails ends it anyway. A second signal ends it at once. */
async function stop(starting: Promise<RunningDaemon>, log: Log, signal: NodeJS.Signals): Promise<void> {
	for (const again of ['SIGTERM', 'SIGINT'] as const)
		process.removeAllListeners(again).once(again, () => process.exit(1));
	const running = await starting.catch(() => undefined);
	if (running === undefined) return;
	log.info(`Stopping on ${signal}; pods live on`);
	await running.stop();
	log.info('Stopped');
	process.exit(0);
}

function loadOrExit(sources: ConfigSources): LoadedConfig {
	try {
		return loadConfig(sources);
	} catch (error) {
		process.stderr.write(`gantryd: ${messageOf(error)}\n`);
		process.exit(EXIT.config);
	}
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

const program = new Command('gantryd')
	.description('The Gantry container runtime: serves the Kubernetes CRI on a Unix socket.')
	.version(VERSION)
	.option('--config <file>', `configuration file (default: ${DEFAULT_CONFIG_FILE}, if it exists)`)
	.option('--listen <address>', 'CRI socket, unix:///PATH')
	.option('--root <folder>', 'folder on disk for images and writable layers')
	.option('--state <folder>', 'folder on a tmpfs for records and sockets')
	.option('--set <key=value>', 'one option of the configuration; may be given several times', collect)
	.allowExcessArguments(false)
	.configureOutput({ outputError: (text, write) => write(text.replace(/^error:/, 'gantryd:')) })
	.showHelpAfterError('Try "gantryd --help".')
	.addHelpText(
		'after',
		'\nExit codes: 0 told to stop, 1 cannot start, 2 wrong usage, 78 broken configuration, or data of a newer daemon.',
	)
	.exitOverride()
	.action(main);

await program.parseAsync().catch((error: unknown) => {
	if (!(error instanceof CommanderError)) throw error;
	process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
});
