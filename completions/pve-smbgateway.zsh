#compdef pve-smbgateway
autoload -U +X bashcompinit && bashcompinit
# bash completion of pve-smbgateway; made by: pve-smbgateway completion bash
_smbgw_words() {
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$*" -- "$current")
}
_smbgw_names() {
    local name
    [[ $current == -* ]] && return
    while IFS= read -r name; do
        [[ $name == "$current"* ]] && COMPREPLY+=("$(printf %q "$name")")
    done < <(pve-smbgateway "${where[@]}" list --kind "$1" --names 2>/dev/null)
}
_pve_smbgateway() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command='' word index where=()
    COMPREPLY=()
    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        [[ $word == --root ]] && where=(--root "${COMP_WORDS[index+1]}")
        case "${command:+$command }$word" in
        'create' | 'list' | 'show' | 'update' | 'delete' | 'status' | 'plan' | 'apply' | 'export' | 'user' | 'user create' | 'user password' | 'user disable' | 'user enable' | 'user delete' | 'user show' | 'user list' | 'group' | 'group create' | 'group delete' | 'group show' | 'group add' | 'group remove' | 'group list' | 'gateway' | 'gateway create' | 'gateway update' | 'gateway delete' | 'gateway show' | 'gateway start' | 'gateway stop' | 'gateway restart' | 'gateway upgrade' | 'gateway list' | 'gateway status' | 'gateway failover' | 'gateway drain' | 'gateway undrain' | 'snapshot' | 'snapshot create' | 'snapshot list' | 'snapshot delete' | 'snapshot restore' | 'quota' | 'quota show' | 'quota history' | 'quota users' | 'quota set' | 'quota watch' | 'template' | 'template build' | 'template import' | 'template list' | 'notify' | 'notify create' | 'notify delete' | 'notify show' | 'notify test' | 'notify list' | 'job' | 'doctor' | 'token' | 'token create' | 'token list' | 'token delete' | 'serve' | 'web' | 'version' | 'completion') command=${command:+$command }$word ;;
        esac
    done
    case "$previous" in
    --root | --path | --file | -f | --allow-path | --metrics-file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    esac
    case "$command $previous" in
    'create --mode') _smbgw_words native lxc vm; return ;;
    'create --guest') _smbgw_words read write; return ;;
    'create --purpose') _smbgw_words general timemachine media archive homes; return ;;
    'list --kind') _smbgw_words share gateway user group receiver; return ;;
    'update --guest') _smbgw_words off read write; return ;;
    'gateway create --mode') _smbgw_words native lxc vm; return ;;
    'gateway create --minimum-protocol') _smbgw_words 2.1 3.0 3.1.1; return ;;
    'gateway update --mode') _smbgw_words native lxc vm; return ;;
    'gateway update --minimum-protocol') _smbgw_words 2.1 3.0 3.1.1; return ;;
    'quota history --span') _smbgw_words day week month year; return ;;
    'template build --mode') _smbgw_words lxc vm; return ;;
    'template import --mode') _smbgw_words lxc vm; return ;;
    'notify create --least') _smbgw_words notice warning critical; return ;;
    'notify create --security') _smbgw_words starttls tls none; return ;;
    'token create --role') _smbgw_words admin viewer; return ;;
    esac
    case "$previous" in  # a value that nobody can guess
    --access | --address | --bridge | --comment | --confirm | --cores | --count | --critical | --fills-within | --full-name | --gateway | --grace | --group | --guest | --kind | --least | --listen | --login | --mail | --memory | --minimum-protocol | --mirror | --mode | --mtu | --node | --notice | --output | --owner | --port | --purpose | --quota | --remove-group | --remove-user | --role | --router | --security | --sender | --server | --snapshots | --source | --span | --suite | --swap | --template | --to | --user | --user-quota | --vlan | --warning | --webhook | --workgroup | --yes) return ;;
    esac
    case "$command" in
    '') _smbgw_words create list show update delete status plan apply export user group gateway snapshot quota template notify job doctor token serve web version completion; _smbgw_words -h --help --root --json -j --verbose --version -V ;;
    'create') _smbgw_words -h --help --source --path --yes --quota --snapshots --allow-path --mode --gateway --address --port --bridge --router --vlan --mtu --memory --swap --cores --user --group --access --guest --purpose --grace --comment --encrypt --hidden --storage --force --dry-run --root --json -j --verbose ;;
    'list') _smbgw_words -h --help --kind --names --root --json -j --verbose ;;
    'show') _smbgw_names share; _smbgw_words -h --help --all --root --json -j --verbose ;;
    'update') _smbgw_names share; _smbgw_words -h --help --quota --snapshots --comment --user --group --access --remove-user --remove-group --guest --encrypt --no-encrypt --hidden --visible --storage --no-storage --force --allow-path --dry-run --root --json -j --verbose ;;
    'delete') _smbgw_names share; _smbgw_words -h --help --destroy-data --confirm --yes --force --root --json -j --verbose ;;
    'status') _smbgw_names share; _smbgw_words -h --help --root --json -j --verbose ;;
    'plan') _smbgw_words -h --help -f --file --force --allow-path --root --json -j --verbose ;;
    'apply') _smbgw_words -h --help -f --file --force --allow-path --dry-run --root --json -j --verbose ;;
    'export') _smbgw_words -h --help --root --json -j --verbose ;;
    'user') _smbgw_words create password disable enable delete show list; _smbgw_words -h --help --root --json -j --verbose ;;
    'user create') _smbgw_words -h --help --full-name --password-stdin --no-password --root --json -j --verbose ;;
    'user password') _smbgw_names user; _smbgw_words -h --help --password-stdin --root --json -j --verbose ;;
    'user disable') _smbgw_names user; _smbgw_words -h --help --root --json -j --verbose ;;
    'user enable') _smbgw_names user; _smbgw_words -h --help --root --json -j --verbose ;;
    'user delete') _smbgw_names user; _smbgw_words -h --help --root --json -j --verbose ;;
    'user show') _smbgw_names user; _smbgw_words -h --help --root --json -j --verbose ;;
    'user list') _smbgw_words -h --help --root --json -j --verbose ;;
    'group') _smbgw_words create delete show add remove list; _smbgw_words -h --help --root --json -j --verbose ;;
    'group create') _smbgw_words -h --help --root --json -j --verbose ;;
    'group delete') _smbgw_names group; _smbgw_words -h --help --root --json -j --verbose ;;
    'group show') _smbgw_names group; _smbgw_words -h --help --root --json -j --verbose ;;
    'group add') _smbgw_names group; _smbgw_words -h --help --root --json -j --verbose ;;
    'group remove') _smbgw_names group; _smbgw_words -h --help --root --json -j --verbose ;;
    'group list') _smbgw_words -h --help --root --json -j --verbose ;;
    'gateway') _smbgw_words create update delete show start stop restart upgrade list status failover drain undrain; _smbgw_words -h --help --root --json -j --verbose ;;
    'gateway create') _smbgw_words -h --help --mode --address --port --bridge --router --vlan --mtu --memory --swap --cores --hardened --no-hardened --allow-guests --no-allow-guests --discovery --no-discovery --minimum-protocol --workgroup --dry-run --force --root --json -j --verbose ;;
    'gateway update') _smbgw_names gateway; _smbgw_words -h --help --mode --address --port --bridge --router --vlan --mtu --memory --swap --cores --hardened --no-hardened --allow-guests --no-allow-guests --discovery --no-discovery --minimum-protocol --workgroup --dry-run --force --root --json -j --verbose ;;
    'gateway delete') _smbgw_names gateway; _smbgw_words -h --help --force --root --json -j --verbose ;;
    'gateway show') _smbgw_names gateway; _smbgw_words -h --help --root --json -j --verbose ;;
    'gateway start') _smbgw_words -h --help --root --json -j --verbose ;;
    'gateway stop') _smbgw_words -h --help --root --json -j --verbose ;;
    'gateway restart') _smbgw_words -h --help --root --json -j --verbose ;;
    'gateway upgrade') _smbgw_words -h --help --template --root --json -j --verbose ;;
    'gateway list') _smbgw_words -h --help --root --json -j --verbose ;;
    'gateway status') _smbgw_words -h --help --root --json -j --verbose ;;
    'gateway failover') _smbgw_words -h --help --to --root --json -j --verbose ;;
    'gateway drain') _smbgw_words -h --help --root --json -j --verbose ;;
    'gateway undrain') _smbgw_words -h --help --root --json -j --verbose ;;
    'snapshot') _smbgw_words create list delete restore; _smbgw_words -h --help --root --json -j --verbose ;;
    'snapshot create') _smbgw_names share; _smbgw_words -h --help --root --json -j --verbose ;;
    'snapshot list') _smbgw_names share; _smbgw_words -h --help --root --json -j --verbose ;;
    'snapshot delete') _smbgw_names share; _smbgw_words -h --help --root --json -j --verbose ;;
    'snapshot restore') _smbgw_names share; _smbgw_words -h --help --root --json -j --verbose ;;
    'quota') _smbgw_words show history users set watch; _smbgw_words -h --help --csv --root --json -j --verbose ;;
    'quota show') _smbgw_names share; _smbgw_words -h --help --root --json -j --verbose ;;
    'quota history') _smbgw_names share; _smbgw_words -h --help --span --csv --root --json -j --verbose ;;
    'quota users') _smbgw_names share; _smbgw_words -h --help --csv --root --json -j --verbose ;;
    'quota set') _smbgw_names share; _smbgw_words -h --help --quota --user-quota --notice --warning --critical --fills-within --force --dry-run --root --json -j --verbose ;;
    'quota watch') _smbgw_names share; _smbgw_words -h --help --count --root --json -j --verbose ;;
    'template') _smbgw_words build import list; _smbgw_words -h --help --root --json -j --verbose ;;
    'template build') _smbgw_words -h --help --mode --suite --mirror --security --output --root --json -j --verbose ;;
    'template import') _smbgw_words -h --help --mode --root --json -j --verbose ;;
    'template list') _smbgw_words -h --help --root --json -j --verbose ;;
    'notify') _smbgw_words create delete show test list; _smbgw_words -h --help --root --json -j --verbose ;;
    'notify create') _smbgw_words -h --help --mail --webhook --proxmox --journal --least --sender --server --port --security --login --secret-stdin --root --json -j --verbose ;;
    'notify delete') _smbgw_names receiver; _smbgw_words -h --help --root --json -j --verbose ;;
    'notify show') _smbgw_names receiver; _smbgw_words -h --help --root --json -j --verbose ;;
    'notify test') _smbgw_names receiver; _smbgw_words -h --help --root --json -j --verbose ;;
    'notify list') _smbgw_words -h --help --root --json -j --verbose ;;
    'job') _smbgw_words -h --help --root --json -j --verbose ;;
    'doctor') _smbgw_words -h --help --fix --owner --root --json -j --verbose ;;
    'token') _smbgw_words create list delete; _smbgw_words -h --help --root --json -j --verbose ;;
    'token create') _smbgw_words -h --help --role --root --json -j --verbose ;;
    'token list') _smbgw_words -h --help --root --json -j --verbose ;;
    'token delete') _smbgw_words -h --help --root --json -j --verbose ;;
    'serve') _smbgw_words -h --help --node --metrics-file --mounts --root --json -j --verbose ;;
    'web') _smbgw_words -h --help --listen --port --root --json -j --verbose ;;
    'version') _smbgw_words -h --help --root --json -j --verbose ;;
    'completion') _smbgw_words bash zsh fish; _smbgw_words -h --help --root --json -j --verbose ;;
    esac
    # options only when one is begun
    [[ $current == -* ]] || for index in "${!COMPREPLY[@]}"; do
        [[ ${COMPREPLY[index]} == -* ]] && unset "COMPREPLY[index]"
    done
}
complete -F _pve_smbgateway pve-smbgateway
