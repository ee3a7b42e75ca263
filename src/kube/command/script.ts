import { fieldManager } from '../api/client.ts';
import { finalImageAnswer } from '../objects/podState.ts';
import { hopeless } from '../rollout/rollout.ts';

/**
 * What both scripts begin with. They print frames: a line with this run's mark, kubectl's answer, a line with the
 * mark. JSON loses its indentation, because the service keeps 512 kB of output; no JSON text holds a line break.
 */
const common = `set -u
. ./settings.sh
say() { printf '\\n%s %s\\n' "$MARK" "$*"; }
frame() { say begin "$1" "$2"; cat "$3"; say end "$1"; }
answer() {
  name=$1; shift
  if "$@" >out 2>err </dev/null; then awk '{ sub(/^ +/, ""); printf "%s", $0 }' out >short; frame "$name" 0 short
  else frame "$name" $? err; fi
}
quietly() { "$@" 2>/dev/null </dev/null; }
apply() { kubectl apply --server-side --field-manager=${fieldManager} "$@"; }
`;

/** Reads each object as it is and as it would be; changes nothing. Lines of the file list: id, namespace. */
export const lookScript = `${common}
while read -r id namespace <&3; do
  answer "live/$id" kubectl get -n "$namespace" -f "now/$id.json" --ignore-not-found --show-managed-fields -o json
  answer "planned/$id" apply --dry-run=server --validate=strict $FORCE -n "$namespace" -f "now/$id.json" -o json
done 3<list
say done
`;

/** Ends with 0 where the line of a container tells that waiting cannot help. */
export const verdict = `BEGIN { found = 1 }
$2 ~ /^(ErrImageNeverPull|InvalidImageName|CreateContainerConfigError)$/ { found = 0 }
$2 ~ /^(ErrImagePull|ImagePullBackOff|ImageInspectError)$/ && tolower($5) ~ /${finalImageAnswer.source}/ { found = 0 }
$2 ~ /^(CrashLoopBackOff|RunContainerError|CreateContainerError)$/ && $1 >= 1 { found = 0 }
$3 == "OOMKilled" || $4 == "OOMKilled" { found = 0 }
END { exit found }
`;

const containerLine =
  '{.restartCount}{"\\t"}{.state.waiting.reason}{"\\t"}{.state.terminated.reason}{"\\t"}{.lastState.terminated.reason}{"\\t"}{.state.waiting.message}{"\\n"}';

/** A line for each container of each pod. */
export const containers = `{range .items[*]}{range .status.initContainerStatuses[*]}${containerLine}{end}{range .status.containerStatuses[*]}${containerLine}{end}{end}`;

const revision = '.metadata.annotations.deployment\\.kubernetes\\.io/revision';

/** The label that the pods of a workload's newest template alone have; nothing while its controller lags behind. */
const newest = `newest() {
  case $3 in
  Deployment)
    quietly kubectl get -n "$2" -f "$folder/$1.json" -o jsonpath='{.metadata.generation} {.status.observedGeneration} {${revision}}{"\\n"}' >seen
    read -r generation observed revision <seen || return 0
    [ "$generation" = "$observed" ] || return 0
    quietly kubectl get replicasets -n "$2" -l "$(cat "selectors/$1")" -o jsonpath='{range .items[*]}{${revision}} {.metadata.labels.pod-template-hash}{"\\n"}{end}' |
      awk -v wanted="$revision" '$1 == wanted { print ",pod-template-hash=" $2 }' ;;
  StatefulSet) quietly kubectl get -n "$2" -f "$folder/$1.json" -o jsonpath=',controller-revision-hash={.status.updateRevision}' ;;
  DaemonSet) quietly kubectl get -n "$2" -f "$folder/$1.json" -o jsonpath=',pod-template-generation={.metadata.annotations.deprecated\\.daemonset\\.template\\.generation}' ;;
  esac
}
`;

const watching = `complete() {
  quietly kubectl rollout status --watch=false --request-timeout=30s -n "$2" -f "$folder/$1.json" |
    grep -Eq 'successfully rolled out|roll out complete|rolling update complete'
}
is_hopeless() {
  quietly kubectl get -n "$2" -f "$folder/$1.json" -o jsonpath='{.status.conditions[?(@.type=="ReplicaFailure")].message}' |
    grep -Eiq '${hopeless.source}' && return 0
  label=$(newest "$1" "$2" "$3")
  [ -n "$label" ] || return 1
  quietly kubectl get pods -n "$2" -l "$(cat "selectors/$1")$label" -o jsonpath-file=containers.jsonpath |
    awk -F '\\t' -f verdict.awk
}
rollouts() {
  end=$(($(date +%s) + TIMEOUT))
  while :; do
    pending=
    while read -r id action namespace kind <&4; do
      case $kind in Deployment | StatefulSet | DaemonSet) ;; *) continue ;; esac
      [ -f "$folder/$id.json" ] || continue
      complete "$id" "$namespace" && continue
      pending=$id
      if is_hopeless "$id" "$namespace" "$kind"; then why="hopeless $id"; return 1; fi
    done 4<list
    [ -n "$pending" ] || return 0
    if [ "$(date +%s)" -ge "$end" ]; then why="deadline $pending"; return 1; fi
    sleep 2
  done
}
`;

const verifying = `addresses() {
  end=$(($(date +%s) + ADDRESS_TIMEOUT))
  while read -r id action namespace kind <&4; do
    [ "$kind" = LoadBalancer ] || continue
    until [ -n "$(quietly kubectl get -n "$namespace" -f "now/$id.json" -o jsonpath='{.status.loadBalancer.ingress[0]}')" ]; do
      if [ "$(date +%s)" -ge "$end" ]; then why="address $id"; return 1; fi
      sleep 2
    done
  done 4<list
}
probes() {
  [ -f probe ] || return 0
  end=$(($(date +%s) + PROBE_TIMEOUT))
  good=0
  while :; do
    if kubectl get --raw "$(cat probe)" --request-timeout=10s >out 2>err </dev/null; then good=$((good + 1)); else good=0; fi
    [ "$good" -lt "$PROBES" ] || return 0
    if [ "$good" -eq 0 ] && [ "$(date +%s)" -ge "$end" ]; then why=probe; frame probe 1 err; return 1; fi
    sleep 0.5
  done
}
`;

const evidence = `evidence() {
  while read -r id action namespace kind <&4; do
    [ "$id" = "\${why#* }" ] && [ -f "selectors/$id" ] || continue
    selector=$(cat "selectors/$id")
    answer workload kubectl get -n "$namespace" -f "now/$id.json" -o json
    answer sets kubectl get replicasets -n "$namespace" -l "$selector" -o json
    answer pods kubectl get pods -n "$namespace" -l "$selector$(newest "$id" "$namespace" "$kind")" -o json
    quietly kubectl get pods -n "$namespace" -l "$selector$(newest "$id" "$namespace" "$kind")" -o name | awk 'NR <= 4' >names
    while read -r pod <&5; do
      answer "events/$pod" kubectl get events -n "$namespace" --field-selector "involvedObject.kind=Pod,involvedObject.name=\${pod#pod/}" -o json
      for previous in true false; do
        quietly kubectl logs -n "$namespace" "$pod" --all-containers --prefix --tail=20 "--previous=$previous" >out
        frame "logs/$pod/$previous" 0 out
      done
    done 5<names
  done 4<list
}
restore() {
  folder=before
  restored=yes
  while read -r id action namespace kind <&4; do
    [ -f "before/$id.json" ] || continue
    case " $begun " in *" $id "*) ;; *) rm "before/$id.json"; continue ;; esac
    if apply --force-conflicts -n "$namespace" -f "before/$id.json" >out 2>err </dev/null; then say restored "$id"
    else frame "unrestored/$id" $? err; restored=no; fi
  done 4<list
  rollouts || restored=no
  say back "$restored"
}
`;

/**
 * Applies, waits, verifies, and puts back what failed, all within one command: it ends in a good state even when the
 * agent that sent it is gone. Lines of the file list: id, action, namespace, kind (LoadBalancer for such a Service).
 */
export const releaseScript = `${common}${newest}${watching}${verifying}${evidence}
folder=now
begun=
why=
while read -r id action namespace kind <&3; do
  [ "$action" = none ] && continue
  begun="$begun $id"
  if apply $FORCE -n "$namespace" -f "now/$id.json" >out 2>err </dev/null; then say applied "$id"
  else frame "refused/$id" $? err; why="refused $id"; break; fi
done 3<list
if [ -z "$why" ] && rollouts && addresses && probes; then
  while read -r id action namespace kind <&3; do
    answer "after/$id" kubectl get -n "$namespace" -f "now/$id.json" -o json
  done 3<list
  say outcome released
else
  outcome=$why
  evidence
  [ "$ROLLBACK" = true ] && [ -n "$begun" ] && restore
  say outcome "$outcome"
fi
say done
`;
