# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_kubectl_pgmigrate_global_optspecs
    string join \n n/namespace= context= kubeconfig= cluster= user= as= as-group= as-uid= request-timeout= o/output= v/verbose color= y/yes accept-one-way= f/filename= h/help V/version
end

function __fish_kubectl_pgmigrate_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_kubectl_pgmigrate_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_kubectl_pgmigrate_using_subcommand
    set -l cmd (__fish_kubectl_pgmigrate_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -s V -l version -d 'Print version'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "list" -d 'Show what is there: Zalando clusters, CNPG clusters, migrations under way'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "init" -d 'Write a migration file and its script, to be edited'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "check" -d 'Look whether the migration can work; changes nothing'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "plan" -d 'Show every step in words, with its hazard and how it is undone'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "prepare" -d 'Do everything that can be done while the app is up'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "status" -d 'Show phase, step, lag, outage and what to type next'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "cutover" -d 'The window: stop, fence, catch up, promote, switch, start, verify'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "verify" -d 'Compare both ends, and run the script\'s own queries'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "rollback" -d 'Go back to the source, as far as that is possible without loss'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "resume" -d 'Go on after a crash, a lost connection, a Ctrl-C'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "finalize" -d 'Give up the way back: retire the source, remove what the migration left'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "unlock" -d 'Take the lock away from a runner that is gone'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "report" -d 'Write the certificate: what moved, what was proved, how long the app was down'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "script" -d 'Work on the migration\'s script'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "lab" -d 'A practice cluster on this machine'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "schema" -d 'Print the JSON schema of the migration file, for editors; or the RBAC role'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "completion" -d 'Print a shell\'s completion script'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "version" -d 'Print the version'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_needs_command" -f -a "__complete" -d 'What kubectl\'s completion shim calls'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand list" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand list" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand list" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand list" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand list" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand list" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand list" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand list" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand list" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand list" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand list" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand list" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand list" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand list" -s A -l all-namespaces -d 'In every namespace'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand list" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand list" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand list" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand init" -l from -d 'The app whose migration file and script are copied' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand init" -l dir -d 'Where to write' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand init" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand init" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand init" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand init" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand init" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand init" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand init" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand init" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand init" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand init" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand init" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand init" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand init" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand init" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand init" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand init" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand check" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand check" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand check" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand check" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand check" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand check" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand check" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand check" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand check" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand check" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand check" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand check" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand check" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand check" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand check" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand check" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand plan" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand plan" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand plan" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand plan" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand plan" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand plan" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand plan" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand plan" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand plan" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand plan" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand plan" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand plan" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand plan" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand plan" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand plan" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand plan" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand prepare" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand prepare" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand prepare" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand prepare" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand prepare" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand prepare" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand prepare" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand prepare" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand prepare" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand prepare" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand prepare" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand prepare" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand prepare" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand prepare" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand prepare" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand prepare" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand status" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand status" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand status" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand status" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand status" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand status" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand status" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand status" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand status" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand status" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand status" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand status" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand status" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand status" -s w -l watch -d 'Show it again whenever it changes, until nothing is running any more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand status" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand status" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand status" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand cutover" -l plan -d 'Run only if the plan still is the reviewed one (see `plan`)' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand cutover" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand cutover" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand cutover" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand cutover" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand cutover" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand cutover" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand cutover" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand cutover" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand cutover" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand cutover" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand cutover" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand cutover" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand cutover" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand cutover" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand cutover" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand cutover" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -l counts -d 'Compare exact row counts and sequences only, not every row\'s content and the catalogue'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -l all -d 'Show what is equal, too'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -l no-script -d 'Leave the script\'s verify() out'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand verify" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -l export -d 'Past the point of no return: dump what the target holds to this file' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -l remove-target -d 'Remove the target and all that prepare made, too'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -l accept-changes -d 'Go back although the migration file or script was changed since it began'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand rollback" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand resume" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand resume" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand resume" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand resume" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand resume" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand resume" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand resume" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand resume" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand resume" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand resume" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand resume" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand resume" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand resume" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand resume" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand resume" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand resume" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand finalize" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand finalize" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand finalize" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand finalize" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand finalize" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand finalize" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand finalize" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand finalize" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand finalize" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand finalize" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand finalize" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand finalize" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand finalize" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand finalize" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand finalize" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand finalize" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand unlock" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand unlock" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand unlock" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand unlock" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand unlock" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand unlock" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand unlock" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand unlock" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand unlock" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand unlock" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand unlock" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand unlock" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand unlock" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand unlock" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand unlock" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand unlock" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand report" -l html -d 'Write the certificate as one HTML page' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand report" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand report" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand report" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand report" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand report" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand report" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand report" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand report" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand report" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand report" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand report" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand report" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand report" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand report" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand report" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand report" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -f -a "check" -d 'Compile the script; find misspelt hooks, unknown functions, wrong numbers of arguments'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -f -a "run" -d 'Run one hook: for real where it only reads, dry (says what it would do) where it changes things'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and not __fish_seen_subcommand_from check run api" -f -a "api" -d 'Print every hook and host function, with an example'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from check" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from check" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from check" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from check" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from check" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from check" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from check" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from check" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from check" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from check" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from check" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from check" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from check" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from check" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from run" -l timeout -d 'How long it may take' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from run" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from run" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from run" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from run" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from run" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from run" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from run" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from run" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from run" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from run" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from run" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from run" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from run" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from run" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from run" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from api" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from api" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from api" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from api" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from api" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from api" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from api" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from api" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from api" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from api" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from api" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from api" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from api" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from api" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from api" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand script; and __fish_seen_subcommand_from api" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -f -a "up" -d 'Start it: a Kubernetes API, both operators\' stand-ins, real PostgreSQL servers, an app that writes'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -f -a "down" -d 'Stop it and remove everything that it left, also after it was killed'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -f -a "status" -d 'Show its pods, and what the app counted'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -f -a "demo" -d 'A whole migration, every command as it would be typed; the last line is the app\'s own measure'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and not __fish_seen_subcommand_from up down status demo serve" -f -a "serve" -d 'The lab\'s own process'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -l statuses -d 'Rows of the biggest table' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -l members -d 'Members of the Zalando cluster' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -l version -d 'PostgreSQL\'s major version [default: the newest that is installed]' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from up" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from down" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from down" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from down" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from down" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from down" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from down" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from down" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from down" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from down" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from down" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from down" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from down" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from down" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from down" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from down" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from down" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from status" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from status" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from status" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from status" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from status" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from status" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from status" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from status" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from status" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from status" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from status" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from status" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from status" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from status" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from demo" -l statuses -d 'Rows of the biggest table' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from demo" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from demo" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from demo" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from demo" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from demo" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from demo" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from demo" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from demo" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from demo" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from demo" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from demo" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from demo" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from demo" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from demo" -l keep -d 'Let the lab run on after the demo'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from demo" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from demo" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from demo" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -l statuses -d 'Rows of the biggest table' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -l members -d 'Members of the Zalando cluster' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -l version -d 'PostgreSQL\'s major version [default: the newest that is installed]' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand lab; and __fish_seen_subcommand_from serve" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand schema" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand schema" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand schema" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand schema" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand schema" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand schema" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand schema" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand schema" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand schema" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand schema" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand schema" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand schema" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand schema" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand schema" -l role -d 'The Role that every verb needs, for `kubectl apply -f -`, instead of the migration file\'s schema'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand schema" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand schema" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand schema" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand completion" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand completion" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand completion" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand completion" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand completion" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand completion" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand completion" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand completion" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand completion" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand completion" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand completion" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand completion" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand completion" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand completion" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand completion" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand completion" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand version" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand version" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand version" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand version" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand version" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand version" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand version" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand version" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand version" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand version" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand version" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand version" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand version" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand version" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand version" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand version" -s h -l help -d 'Print help'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand __complete" -s n -l namespace -d 'Namespace to work in; default: the context\'s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand __complete" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand __complete" -l kubeconfig -d 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand __complete" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand __complete" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand __complete" -l as -d 'User to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand __complete" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand __complete" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand __complete" -l request-timeout -d 'How long one request may take ("30s", "1m"; 0: no limit); default 30s' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand __complete" -s o -l output -d 'How the answer is written' -r -f -a "table\t''
json\t''
yaml\t''
name\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand __complete" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand __complete" -l accept-one-way -d 'Confirm a step that cannot be taken back, by the migration\'s name' -r
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand __complete" -s f -l filename -d 'The migration file, instead of looking NAME up' -r -F
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand __complete" -s v -l verbose -d 'Say more on stderr; again for more'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand __complete" -s y -l yes -d 'Answer yes to what can be taken back'
complete -c kubectl-pgmigrate -n "__fish_kubectl_pgmigrate_using_subcommand __complete" -s h -l help -d 'Print help'
