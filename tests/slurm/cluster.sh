# shellcheck shell=bash
# A Slurm cluster of one node for tests, out of Debian's slurmctld, slurmd, slurm-client and munge. To be sourced by
# a script that enter_namespaces has started; needs root.
#
# Everything runs in namespaces of its own: other clusters, ports, sockets and processes of the machine are not
# touched, and the end of the first process, however it comes, ends all others. Every file is in memory below
# $cluster, which nothing outside sees and which goes with the last process.

cluster=/run/cluster

# enter_namespaces SCRIPT ARGUMENTS...: replaces this process by the script as the first of new namespaces.
# shellcheck disable=SC2034  # CLUSTER_NAMESPACES says to the script that it runs in them
enter_namespaces() {
  exec env CLUSTER_NAMESPACES=1 unshare --mount --pid --net --uts --ipc --fork --kill-child --mount-proc bash "$@"
}

can_enter_namespaces() {
  unshare --mount --pid --net --uts --ipc --fork --kill-child --mount-proc true 2>/dev/null
}

# wait_until SECONDS COMMAND...: until the command succeeds; fails after so many seconds.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

# mount_cluster: makes $cluster, for temporary files too.
mount_cluster() {
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p "$cluster"/{state,spool,tmp}
  export TMPDIR="$cluster/tmp"
}

# start_cluster: node `localhost` with partitions `low` (default), `graceful` and `high`, whose jobs preempt those of
# the others; of `graceful`, with a minute's notice.
start_cluster() {
  echo localhost >/proc/sys/kernel/hostname
  ip link set lo up
  ip address add 192.0.2.1/32 dev lo  # with loopback addresses alone, glibc resolves no name for Slurm
  write_configuration
  unset "${!SLURM_@}" "${!SBATCH_@}"  # of a job that the test may run in
  export SLURM_CONF="$cluster/slurm.conf"
  (umask 077 && head -c 128 /dev/urandom >"$cluster/munge.key")
  munged --foreground --key-file "$cluster/munge.key" --socket "$cluster/munge.socket" \
    --pid-file "$cluster/munged.pid" --seed-file "$cluster/munge.seed" &>"$cluster/munged.log" &
  wait_until 10 test -S "$cluster/munge.socket" || return
  slurmctld -D &>/dev/null &
  slurmd -D -N localhost &>/dev/null &
  wait_until 30 node_is_idle
}

node_is_idle() { [[ $(sinfo --noheader --format=%T --partition=low) == idle ]]; }

# More processors than there are: all jobs of a test run at once. A requeued job waits as long as a credential lives
# (cred_expire).
write_configuration() {
  cat >"$cluster/slurm.conf" <<CONF
ClusterName=patchnas_test
SlurmctldHost=localhost
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$cluster/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool
SlurmctldDebug=debug2
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdLogFile=$cluster/slurmd.log
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=1,bf_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
ReturnToService=2
KillWait=20
MinJobAge=600
InactiveLimit=0
NodeName=localhost CPUs=32 RealMemory=1000 State=UNKNOWN
PartitionName=low Nodes=localhost Default=YES PriorityTier=1 MaxTime=INFINITE State=UP
PartitionName=graceful Nodes=localhost PriorityTier=1 GraceTime=60 MaxTime=INFINITE State=UP
PartitionName=high Nodes=localhost PriorityTier=2 PreemptMode=OFF MaxTime=INFINITE State=UP
CONF
}
