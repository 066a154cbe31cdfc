# Runs parts one after another and prints at the end how many seconds each took. To be sourced by bash.
#
#   part NAME COMMAND …    run a part; the first one that fails ends the script
#   The table is printed on exit, also after a failure.

part_names=()
part_seconds=()

part() {
    local name=$1 began=$SECONDS status=0
    shift
    printf '\n== %s (%s) ==\n' "$name" "$(date +%T)"
    "$@" || status=$?
    part_names+=("$name")
    part_seconds+=($((SECONDS - began)))
    return "$status"
}

print_parts() {
    local index
    if [ "${#part_names[@]}" = 0 ]; then return; fi
    printf '\n%-32s %7s\n' part seconds
    for index in "${!part_names[@]}"; do
        printf '%-32s %7s\n' "${part_names[index]}" "${part_seconds[index]}"
    done
    printf '%-32s %7s\n' "all parts" "$SECONDS"
}
trap print_parts EXIT
