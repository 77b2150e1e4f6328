using AspireStreaming.FailureSuite.Tests.World;
using AspireStreaming.SystemSupport;

namespace AspireStreaming.FailureSuite.Tests.Scenarios;

/// <summary>Services that die, stop and are replaced while clients are connected.</summary>
internal static class ServiceScenarios
{
    private const string Publisher = "publisher-api";

    public static IEnumerable<Scenario> All =>
    [
        .. FailureWorld.Services.Select(service => new Scenario($"{service}-killed", Target.Services, broken => KillAsync(broken, service)) { IsShort = true, EndsPublishers = service == Publisher }),
        .. FailureWorld.Services.Select(service => new Scenario($"{service}-stopped", Target.Services, broken => StopAsync(broken, service)) { EndsPublishers = service == Publisher }),
        .. FailureWorld.Services.Select(service => new Scenario($"{service}-all-killed", Target.Services, broken => KillAllAsync(broken, service)) { EndsPublishers = service == Publisher }),
        new("rolling-restart", Target.Services, RollAsync) { IsShort = true, Combines = false },
    ];

    /// <summary>Asks one instance to end, and starts it again. One that has to be killed has broken its deadline.</summary>
    public static async Task RestartAsync(Breakage broken, string service, string instance)
    {
        var system = broken.World.System;
        await system.CommandInstanceAsync(instance, KnownResourceCommands.StopCommand, Breakage.Cancelled);
        Assert.Equal(0, system.ExitCode(instance));
        await system.StartAgainAsync(service, instance, Breakage.Cancelled);
        await system.HealthyInstanceAsync(service, instance, Breakage.Cancelled);
    }

    private static async Task KillAsync(Breakage broken, string service)
    {
        var system = broken.World.System;
        var processes = await system.ProcessesAsync(service, Breakage.Cancelled);
        foreach (var (instance, process) in SuiteSettings.IsFull ? processes : processes.Take(1))
        {
            RunningSystem.Kill(process);
            await Breakage.HoldAsync(1);
            await system.StartAgainAsync(service, instance, Breakage.Cancelled);
            await system.HealthyInstanceAsync(service, instance, Breakage.Cancelled);
        }
    }

    private static async Task StopAsync(Breakage broken, string service)
    {
        var instances = await broken.World.System.InstancesAsync(service, Breakage.Cancelled);
        foreach (var instance in SuiteSettings.IsFull ? instances : instances.Take(1))
        {
            await RestartAsync(broken, service, instance);
        }
    }

    private static async Task KillAllAsync(Breakage broken, string service)
    {
        var system = broken.World.System;
        var processes = await system.ProcessesAsync(service, Breakage.Cancelled);
        foreach (var process in processes.Values)
        {
            RunningSystem.Kill(process);
        }

        await Breakage.HoldAsync(2);
        foreach (var instance in processes.Keys)
        {
            await system.StartAgainAsync(service, instance, Breakage.Cancelled);
        }

        await system.HealthyAsync([service], Breakage.Cancelled);
    }

    private static async Task RollAsync(Breakage broken)
    {
        foreach (var service in FailureWorld.Services)
        {
            await StopAsync(broken, service);
        }
    }
}
