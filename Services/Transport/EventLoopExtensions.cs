using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace AspireStreaming.Transport;

/// <summary>Registers the transport.</summary>
public static class EventLoopExtensions
{
    private const int MaxDefaultCount = 8;

    /// <summary>
    /// Lets connections be received from and served by threads of their own, where the system can do that (Linux). What serves them must
    /// not block: others wait for the same thread.
    /// </summary>
    /// <param name="services">The services of a program with Kestrel, whose socket options hold.</param>
    /// <param name="count">
    /// How many threads; 0 leaves everything to the server's own transport, null is one for two processors, 1 to 8. The fewer there are the
    /// more each finds to do when it wakes, and the other processors have what does not come from connections.
    /// </param>
    /// <param name="arePatient">
    /// Whether they leave a processor to who has it until it is their turn: where all are busy they find more to do when they run, and
    /// what is received waits for some milliseconds. For what is received beside the work, as acknowledgements are, not for requests.
    /// </param>
    public static void AddEventLoops(this IServiceCollection services, Func<IServiceProvider, int?> count, bool arePatient = false)
    {
        if (OperatingSystem.IsLinux())
        {
            services.AddSingleton<IConnectionListenerFactory>(provider => new EventLoopTransport(
                provider.GetRequiredService<IMemoryPoolFactory<byte>>(),
                provider.GetRequiredService<IOptions<SocketTransportOptions>>().Value,
                count(provider) ?? Math.Clamp(Environment.ProcessorCount / 2, 1, MaxDefaultCount),
                arePatient));
        }
    }
}
