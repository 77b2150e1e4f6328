using AspireStreaming.Cli.Verify;
using AspireStreaming.Client;

namespace AspireStreaming.Cli.Tests.Verify;

public sealed class DensityCheckTests
{
    private readonly DensityCheck _check = new();

    [Fact]
    public void Observe_hole_that_is_filled_late_is_disorder_and_no_hole()
    {
        Observe(1, 2, 6, 4);

        Assert.Equal((1L, 0L, 2L), (_check.Disorders, _check.Duplicates, _check.Missing));
        Assert.Equal(
            [new Hole(At(2), At(3), 1), new Hole(At(4), At(5), 1)],
            _check.Holes);

        Observe(3, 5);

        Assert.Equal((3L, 0L), (_check.Disorders, _check.Missing));
        Assert.Empty(_check.Holes);
    }

    [Fact]
    public void Observe_position_again_is_a_duplicate()
    {
        Observe(1, 2, 2, 3, 1);

        Assert.Equal((2L, 0L, 0L), (_check.Duplicates, _check.Disorders, _check.Missing));
    }

    [Fact]
    public void Observe_sequence_that_goes_on_in_a_new_epoch_is_dense()
    {
        Observe(1, 2);
        _check.Observe(new StreamPosition(9, 3));

        Assert.Equal((2, 0L), (_check.Epochs, _check.Missing));
    }

    [Fact]
    public void Observe_sequence_that_jumps_in_a_new_epoch_is_a_hole()
    {
        Observe(1, 2);
        _check.Observe(new StreamPosition(9, 6));

        Assert.Equal(new Hole(At(2), new StreamPosition(9, 5), 3), Assert.Single(_check.Holes));
    }

    private static StreamPosition At(long sequence) => new(5, sequence);

    private void Observe(params ReadOnlySpan<long> sequences)
    {
        foreach (var sequence in sequences)
        {
            _check.Observe(At(sequence));
        }
    }
}
