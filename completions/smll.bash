# bash completion for smll
_smll() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  case $previous in
    --backend) COMPREPLY=($(compgen -W "exact llama" -- "$current")); return ;;
    --experts) COMPREPLY=($(compgen -W "all llm cm cm-fast" -- "$current")); return ;;
    --device) COMPREPLY=($(compgen -W "auto cpu cuda" -- "$current")); return ;;
    --isa) COMPREPLY=($(compgen -W "scalar avx2 avx512 amx neon" -- "$current")); return ;;
    dict) COMPREPLY=($(compgen -W "list info add" -- "$current")); return ;;
    corpus) COMPREPLY=($(compgen -W "compress decompress verify" -- "$current")); return ;;
    --records) COMPREPLY=($(compgen -W "guess lines files json parquet" -- "$current")); return ;;
    models) COMPREPLY=($(compgen -W "list pull info" -- "$current")); return ;;
    --model) COMPREPLY=($(compgen -W "$(smll models list 2>/dev/null | awk 'NR > 1 && /^[^ ]/ { print $1 }')" -- "$current")
                        $(compgen -f -- "$current")); return ;;
  esac
  if [[ $current == -* && ${COMP_WORDS[1]} == train ]]; then
    COMPREPLY=($(compgen -W "--output --records --size --sample-size --minutes --adapter --no-adapter --force --quiet --threads
      --model --window --isa --device --help" -- "$current"))
    return
  fi
  if [[ $current == -* && ${COMP_WORDS[1]} == bundle ]]; then
    COMPREPLY=($(compgen -W "--output --model --dictionary --help" -- "$current"))
    return
  fi
  if [[ $current == -* && ${COMP_WORDS[1]} == corpus ]]; then
    COMPREPLY=($(compgen -W "--jobs --threads --model --dictionary --progress --quiet --records --column --group --part-size
      --level --force --stored --help" -- "$current"))
    return
  fi
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "--compress --decompress --test --list --stdout --output --force --keep --rm --recursive
      --threads --experts --lanes --window --learn --no-learn --frame-size --flush --model --dictionary --backend --isa --device --verify --no-verify --range --keep-going
      --memory --max-output --max-time --stats
      --quiet --verbose --progress --no-progress --fast --best --help --version" -- "$current"))
    return
  fi
  COMPREPLY=($(compgen -f -- "$current"))
  [ "$COMP_CWORD" -eq 1 ] && COMPREPLY+=($(compgen -W "models info bundle train dict corpus explain bench" -- "$current"))
}
complete -o filenames -F _smll smll unsmll smllcat
