snap-diff --exit-code --format=tsv old.snap old.snap; echo "same: $?"
snap-diff --exit-code --format=tsv -k type old.snap new.snap; echo "changed: $?"
snap-diff --exit-code --format=tsv -k type -i 'type:Cache' old.snap new.snap; echo "the rest changed: $?"
