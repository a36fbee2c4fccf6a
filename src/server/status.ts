import { messageOf } from '#base/errors.ts';
import type { RuntimeConditionInit, RuntimeHandlerInit } from '#cri-api';
import type { CriuState } from '#runtime';
import type { Daemon, UnaryHandler } from './types.ts';

/** Handlers that a pod may name: none, and ours by name. They are the same. */
export const RUNTIME_HANDLERS: readonly string[] = ['', 'gantry'];

/** Status: conditions, what the handlers can do, and with `verbose` the configuration, the last errors and what is under way. */
export const status: UnaryHandler<'Status'> = async (daemon, request) => ({
	status: { conditions: [runtimeReady(daemon), networkReady(daemon)] },
	runtime_handlers: RUNTIME_HANDLERS.map((name) => handler(name, daemon)),
	features: {
		supplemental_groups_policy: true,
		user_namespaces_host_network: daemon.features.userNamespaces,
		mount_options: true,
	},
	info: request.verbose ? await verboseInfo(daemon) : {},
});

function runtimeReady(daemon: Daemon): RuntimeConditionInit {
	const problems = daemon.problems();
	if (problems.length === 0) return { type: 'RuntimeReady', status: true, reason: '', message: '' };
	return { type: 'RuntimeReady', status: false, reason: 'RuntimeNotReady', message: problems.join('; ') };
}

function networkReady(daemon: Daemon): RuntimeConditionInit {
	const { ready, reason, message } = daemon.network.status();
	return { type: 'NetworkReady', status: ready, reason: ready ? '' : reason, message: ready ? '' : message };
}

function handler(name: string, { features }: Daemon): RuntimeHandlerInit {
	const { recursiveReadOnlyMounts, userNamespaces } = features;
	return {
		name,
		features: { recursive_read_only_mounts: recursiveReadOnlyMounts, user_namespaces: userNamespaces },
	};
}

async function verboseInfo(daemon: Daemon): Promise<Record<string, string>> {
	return {
		config: JSON.stringify(daemon.config),
		runtime: JSON.stringify({
			version: daemon.version,
			pid: process.pid,
			launcherPid: daemon.launcher.pid,
			startedAt: daemon.startedAt.toISOString(),
			node: process.version,
			cgroups: { version: daemon.cgroups.version, controllers: [...daemon.cgroups.controllers].sort() },
			network: { provider: daemon.network.name, ...daemon.network.status() },
			sandboxes: daemon.sandboxes.list().length,
			containers: daemon.containers.list().length,
			images: daemon.images.list().length,
		}),
		appArmor: JSON.stringify(await daemon.appArmor.look()),
		checkpoint: JSON.stringify(await criuOf(daemon)),
		recentErrors: JSON.stringify(daemon.recentErrors.list()),
		pulls: JSON.stringify(daemon.pulls.list()),
		making: JSON.stringify({
			sandboxes: daemon.sandboxes.names.making(),
			containers: daemon.containers.names.making(),
		}),
	};
}

/** Which CRIU there is, and why no checkpoint can be made. */
async function criuOf({ criu }: Daemon): Promise<CriuState> {
	return await criu.look().catch((error: unknown) => ({ path: '', version: '', problem: messageOf(error) }));
}
