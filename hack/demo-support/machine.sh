# What hack/demo compares before and after, each as sorted lines: gathered without any code of Gantry.
# Sourced; needs $instance and $work (the demo's own names).

machine_mounts() { awk '{ print $5, $(NF-2) }' /proc/self/mountinfo; }
machine_cgroups() { find /sys/fs/cgroup -type d; }
machine_links() { ip -o link show | awk -F': ' '{ print $2 }'; }
machine_addresses() { ip -o address show | awk '{ print $2, $4 }'; }
machine_routes() { ip route show table all | sed 's/ proto .*//'; }
machine_tables() { nft list tables; }
# The demo's own folder holds these very lists; that it is gone is checked apart.
machine_files() { find /etc /run /tmp /var/lib /var/tmp /dev/shm -xdev -maxdepth 2 -not -path "$work*" 2>/dev/null; }
machine_settings() { sysctl -e net.ipv4.ip_forward net.ipv6.conf.all.forwarding; }

# A namespace lives through a process in it or a mount of it; mounts are compared above.
machine_namespaces() { readlink /proc/[0-9]*/ns/* 2>/dev/null; }

# Process ids change all the time; what must not appear are processes of the demo.
machine_processes() {
	local dir
	for dir in $({ grep -ls "/$instance" /proc/[0-9]*/cgroup; grep -lsF -e "$work" /proc/[0-9]*/cmdline; } 2>/dev/null | cut -d/ -f3 | sort -u); do
		[ "$dir" = $$ ] || [ ! -r "/proc/$dir/cmdline" ] || echo "$dir $({ tr '\0' ' ' <"/proc/$dir/cmdline"; } 2>/dev/null)"
	done
}

MACHINE_PARTS=(mounts cgroups namespaces links addresses routes tables processes files settings)

# machine_snapshot FOLDER
machine_snapshot() {
	local part
	mkdir -p "$1"
	for part in "${MACHINE_PARTS[@]}"; do { "machine_$part" || true; } | sort -u >"$1/$part"; done
}

# Something new that is not ours came from elsewhere on a busy machine. Namespaces are ours unless every process in
# them is another's.
ours() {
	local part=$1 line=$2 holder
	case $part in
	namespaces)
		for holder in $(find /proc/[0-9]*/ns -maxdepth 1 -lname "$line" 2>/dev/null | cut -d/ -f3 | sort -u); do
			grep -qs "/$instance" "/proc/$holder/cgroup" && return 0
		done
		return 1
		;;
	settings) return 0 ;;
	*) case $line in *"$instance"* | *"$work"* | *"$(basename "$work")"*) return 0 ;; *) return 1 ;; esac ;;
	esac
}

# machine_compare BEFORE AFTER: prints a line for each part; fails when something of ours is left.
machine_compare() {
	local part line before after left=() others status=0
	for part in "${MACHINE_PARTS[@]}"; do
		before=$(wc -l <"$1/$part") after=$(wc -l <"$2/$part") left=() others=0
		while IFS= read -r line; do
			if ours "$part" "$line"; then left+=("$line"); else others=$((others + 1)); fi
		done < <(comm -13 "$1/$part" "$2/$part")
		if [ ${#left[@]} -eq 0 ]; then
			printf '  %-11s %5d before, %5d after%s\n' "$part" "$before" "$after" \
				"$([ "$others" -eq 0 ] || echo " ($others new, not ours)")"
		else
			printf '  %-11s LEFT BEHIND:\n' "$part"
			printf '    %s\n' "${left[@]}"
			status=1
		fi
	done
	return $status
}
