# Bash completion of all snap tools: options and their forms are read from --help, so it is never out of date.
_snap_complete() {
	local tool=$1 word=$2 before=$3 help options
	help=$("$tool" --help 2>/dev/null) || return
	COMPREPLY=()
	case $before$word in
	*--format=* | --format*)
		word=${word#=}
		word=${word#--format=}
		options=$(sed -n 's/^ *--format=FORM *print as //p' <<<"$help" | sed 's/,//g; s/ or / /')
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
		return ;;
	esac
	case $word in
	-*)
		options=$(grep -oE -- '--[a-z][a-z-]*=?' <<<"$(sed 's/^\(.\{28\}\).*/\1/' <<<"$help")")
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
		[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
		return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -f -- "$word")
}
complete -o filenames -F _snap_complete snap-check snap-diff snap-dump snap-export snap-filter snap-import snap-index snap-info \
	snap-make snap-merge snap-record snap-refs snap-symbolize snap-top
