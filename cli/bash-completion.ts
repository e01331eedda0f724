/**
 * The script for bash. Our own: the library's needs the package bash-completion, and hands what was typed to `eval`, so that TAB would
 * run a `$(…)` on the command line.
 */
export const bashCompletion = `# bash completion for muster

_muster_complete() {
    local typed=\${COMP_LINE:0:COMP_POINT} words cur before line value
    read -r -a words <<< "$typed"
    # An empty last word is what comes next.
    if [[ $typed == *[[:space:]] ]]; then words+=(''); fi
    cur=\${words[\${#words[@]}-1]}
    # Readline takes words apart at = and :, and replaces what stands behind the last of them only.
    before=\${cur%"\${cur##*[=:]}"}
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == :* ]]; then continue; fi
        value=\${line%%$'\\t'*}
        if [[ $value == "$cur"* ]]; then COMPREPLY+=("\${value#"$before"}"); fi
    done < <(muster complete -- "\${words[@]:1}" 2>/dev/null)
}

# Without an answer of ours files are offered.
complete -o default -F _muster_complete muster
`;
