using AspireStreaming.StreamApi.Delivery;

namespace AspireStreaming.StreamApi.Tests.Delivery;

public sealed class DeliverySignalTests
{
    [Fact]
    public void Set_before_the_wait_is_kept_once()
    {
        var signal = new DeliverySignal();
        signal.Set();
        signal.Set();

        Assert.True(signal.WaitAsync().AsTask().IsCompletedSuccessfully);
        var second = signal.WaitAsync().AsTask();
        Assert.False(second.IsCompleted);
        signal.Set();
        Assert.True(second.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Set_from_many_threads_no_wake_is_lost()
    {
        const int Increments = 200_000;
        var signal = new DeliverySignal();
        var counter = 0;
        var writers = Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
        {
            for (var number = 0; number < Increments; number++)
            {
                Interlocked.Increment(ref counter);
                signal.Set();
            }
        }, TestContext.Current.CancellationToken)).ToArray();

        var reader = Task.Run(async () =>
        {
            while (Volatile.Read(ref counter) < 2 * Increments)
            {
                await signal.WaitAsync();
            }
        }, TestContext.Current.CancellationToken);

        await Task.WhenAll(writers).WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System, TestContext.Current.CancellationToken);
        await reader.WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System, TestContext.Current.CancellationToken);
    }
}
