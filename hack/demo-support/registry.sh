# Debian's docker-registry on a free loopback port, with a folder of its own. Sourced.

# free_port: a TCP port of loopback that nobody listens on.
free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 20000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
	done
}

# start_registry FOLDER: sets registry (HOST:PORT) and registry_pid.
start_registry() {
	local try
	mkdir -p "$1"
	registry=127.0.0.1:$(free_port)
	cat >"$1/config.yml" <<-END
		version: 0.1
		log: { level: error, accesslog: { disabled: true } }
		storage: { filesystem: { rootdirectory: $1/blobs }, delete: { enabled: true } }
		http: { addr: "$registry" }
	END
	docker-registry serve "$1/config.yml" >"$1/log" 2>&1 &
	registry_pid=$!
	for ((try = 0; try < 200; try++)); do
		(exec 3<>"/dev/tcp/${registry%:*}/${registry#*:}") 2>/dev/null && return 0
		kill -0 "$registry_pid" 2>/dev/null || break
		sleep 0.05
	done
	echo "the registry did not start:" >&2
	cat "$1/log" >&2
	return 1
}
