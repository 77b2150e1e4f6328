using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Orchestration;

/// <summary>The commands start, stop and restart of everything that runs as a process.</summary>
internal static class LifecycleCommands
{
    public static void AddTo(IResource resource, Func<string, InstanceController> controllers)
    {
        Add(resource, KnownResourceCommands.StartCommand, "Start", "Play", CanStart, async (controller, cancellationToken) =>
            await controller.StartAsync(cancellationToken).ConfigureAwait(false));
        Add(resource, KnownResourceCommands.StopCommand, "Stop", "Stop", CanStop, async (controller, cancellationToken) =>
        {
            await controller.StopAsync(cancellationToken).ConfigureAwait(false);
            return CommandResults.Success();
        });
        Add(resource, KnownResourceCommands.RestartCommand, "Restart", "ArrowCounterclockwise", IsRunning, async (controller, cancellationToken) =>
        {
            await controller.StopAsync(cancellationToken).ConfigureAwait(false);
            return await controller.StartAsync(cancellationToken).ConfigureAwait(false);
        });

        void Add(
            IResource owner,
            string name,
            string displayName,
            string icon,
            Func<string?, bool> isEnabled,
            Func<InstanceController, CancellationToken, Task<ExecuteCommandResult>> execute)
        {
            if (owner.Annotations.OfType<ResourceCommandAnnotation>().Any(command => command.Name == name))
            {
                return;
            }

            owner.Annotations.Add(new ResourceCommandAnnotation(
                name,
                displayName,
                context => isEnabled(context.ResourceSnapshot.State?.Text) ? ResourceCommandState.Enabled : ResourceCommandState.Disabled,
                context => execute(controllers(context.ResourceName), context.CancellationToken),
                displayDescription: null,
                parameter: null,
                confirmationMessage: null,
                icon,
                IconVariant.Filled,
                isHighlighted: true));
        }
    }

    private static bool IsRunning(string? state) => state == KnownResourceStates.Running;

    private static bool CanStop(string? state) =>
        state == KnownResourceStates.Running || state == KnownResourceStates.Starting || state == KnownResourceStates.Waiting;

    private static bool CanStart(string? state) =>
        state is null || state == KnownResourceStates.NotStarted || KnownResourceStates.TerminalStates.Contains(state);
}
