import sys, harness, kinds
from harness import Scene
programs = harness.arguments("x", kind=(str,"MEGA2560_DENSE",""), count=(int,11,""), rounds=(int,5,""), pace=(int,1,""))
kind=getattr(kinds,programs.kind)
with Scene(programs, f"{kind.board}={programs.count}", "--remote", *(["--pace"] if programs.pace else [])) as scene:
    scene.daemon.start(); events=scene.events()
    content=kind.content(2000,1)
    image=scene.upload(kind.file(content),name="fw.hex",address=None).json["id"]
    def go():
        job=scene.submit(image,chip=kind.chip,stations=scene.stations)
        events.wait_fact("job.state",id=job,state="done")
        return scene.runs(job=job)
    for r in range(programs.rounds):
        for n in scene.stations[:4]: scene.sim("fault",n,"silent")
        go()
        for n in scene.stations:
            scene.sim("fault",n,"none"); scene.sim("insert",n);  scene.sim("fill",n,"90")
            scene.post(f"/v1/stations/{n}/record")
        runs=go()
        print(r, sum(x["outcome"]=="pass" for x in runs), flush=True)
        for x in runs:
            if x["outcome"]!="pass":
                print("  ",x["station"],x["class"],x["message"], scene.farm.ask("state",x["station"])[:200])
                d=scene.get(f"/v1/runs/{x['id']}/dialogue")["dialogue"]
                print("\n".join(l for l in d.splitlines() if not l.startswith("# image"))[-1000:])
