using System.Globalization;
using System.Text;

namespace AspireStreaming.Client.Tests.Support;

/// <summary>Events that are numbered from 1, and what came of them.</summary>
internal static class Numbers
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static NewEvent Event(int number) => NewEvent.Json("token", number) with { Id = $"n{number}", Source = "/tests" };

    /// <summary>Publishes one after another, as a live source would, until stopped; returns how many.</summary>
    public static async Task<int> PublishUntilAsync(this EventPublisher publisher, string stream, Task stop, CancellationToken cancellationToken)
    {
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(5), TimeProvider.System);
        var number = 0;
        while (!stop.IsCompleted)
        {
            await publisher.PublishAsync(stream, Event(++number), cancellationToken: cancellationToken);
            await pace.WaitForNextTickAsync(cancellationToken);
        }

        return number;
    }

    /// <summary>Follows until the stream ends, keeping the numbers in the order in which they came.</summary>
    public static async Task CollectAsync(
        this EventSubscriber subscriber, string stream, SubscribeOptions options, List<int> numbers, CancellationToken cancellationToken)
    {
        await foreach (var item in subscriber.SubscribeAsync(stream, options, cancellationToken))
        {
            if (item.Type == "token")
            {
                lock (numbers)
                {
                    numbers.Add(int.Parse(Encoding.UTF8.GetString(item.Data.Span), CultureInfo.InvariantCulture));
                }
            }
        }
    }

    public static int CountOf(List<int> numbers)
    {
        lock (numbers)
        {
            return numbers.Count;
        }
    }

    public static Task ReachAsync(List<int> numbers, int count, CancellationToken cancellationToken) => TestSupport.Eventually.TrueAsync(
        () => CountOf(numbers) >= count, Patience, $"{count} events have come", cancellationToken);
}
